//! The picture of the first page: a sum whose worker is killed, as a terminal shows it. Everything in it was printed.

use std::fs;

use crate::run::send;
use crate::shown::form;
use crate::{World, until};
use tally_sys::signal::Signal;

const WORKERS: usize = 3;
const SUM: [&str; 4] = ["sum", "0..1e9", "--of", "i*i % 7"];

/// Pixels of a letter, of a line, and around all.
const LETTER: f64 = 7.8;
const LINE: usize = 19;
const MARGIN: usize = 18;

/// Runs it, kills one worker once it has worked, and returns the lines of the terminal.
#[must_use]
pub fn story(world: &World) -> Vec<String> {
    let count = WORKERS.to_string();
    let command = SUM.iter().copied().chain(["--workers", &count, "--verbose", "--local"]);
    let running = world.start(command);
    let victim = world.await_named("tally-worker", WORKERS)[WORKERS - 1].pid;
    // Three ticks of the clock: it is at a partition.
    until("work of a worker", || {
        let stat = fs::read_to_string(format!("/proc/{victim}/stat")).ok()?;
        let ticks: u64 = stat.rsplit_once(") ")?.1.split(' ').nth(11)?.parse().ok()?;
        (ticks >= 3).then_some(())
    });
    send(victim, Signal::Kill);
    let told = running.finish();
    assert_eq!(told.code(), 0, "{told:?}");
    let inline = SUM.iter().copied().chain(["--mode", "inline", "--local"]);
    let again = world.run(inline);
    let mut lines = vec![
        format!("$ tally {} {} {} '{}' --workers {count} --verbose &", SUM[0], SUM[1], SUM[2], SUM[3]),
        format!("$ kill -9 {victim}    # one of its workers, while it works"),
    ];
    lines.extend(told.stderr.lines().chain(told.stdout.lines()).map(|line| line.trim_end().to_owned()));
    lines.push(format!(
        "$ tally {} {} {} '{}' --mode inline    # one process, nobody is killed",
        SUM[0], SUM[1], SUM[2], SUM[3]
    ));
    lines.extend(again.stdout.lines().map(str::to_owned));
    lines
}

/// What must be the same in every telling: commands, the head of the table, the line of the total, both answers.
#[must_use]
pub fn gist(lines: &[String]) -> Vec<String> {
    let row = |line: &&String| !line.starts_with("worker-");
    lines.iter().filter(row).map(|line| if line.len() < 12 { line.clone() } else { form(line) }).collect()
}

/// The lines as a picture that stands alone, for light and dark.
#[must_use]
pub fn svg(lines: &[String]) -> String {
    let letters = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    // A width needs no more than whole pixels.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "pixels"
    )]
    let wide = |letters: usize| (letters as f64 * LETTER).ceil() as usize;
    let (width, height) = (wide(letters) + 2 * MARGIN, (lines.len() + 1) * LINE + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"A terminal: a sum, one of its workers is killed, the same answer\">\n\
<style>\n\
.paper {{ fill: #ffffff; stroke: #d0d7de }} text {{ font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #57606a; white-space: pre; animation: show 0.1s step-end backwards }}\n\
.typed {{ fill: #1f2328; font-weight: bold }} .answer {{ fill: #116329; font-weight: bold }} .kill {{ fill: #cf222e; font-weight: bold }}\n\
@keyframes show {{ from {{ opacity: 0 }} }}\n\
@media (prefers-reduced-motion: reduce) {{ text {{ animation: none }} }}\n\
@media (prefers-color-scheme: dark) {{ .paper {{ fill: #0d1117; stroke: #30363d }} text {{ fill: #9198a1 }} .typed {{ fill: #e6edf3 }} .answer {{ fill: #3fb950 }} .kill {{ fill: #f85149 }} }}\n\
</style>\n\
<rect class=\"paper\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        width - 1,
        height - 1
    );
    for (number, line) in lines.iter().enumerate() {
        let class = match line {
            line if line.starts_with("$ kill") => " class=\"kill\"",
            line if line.starts_with("$ ") => " class=\"typed\"",
            line if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => " class=\"answer\"",
            _ => "",
        };
        let y = MARGIN + (number + 1) * LINE - 6;
        let delay = number * 4 / 10;
        let text = line.replace('&', "&amp;").replace('<', "&lt;");
        svg.push_str(&format!(
            "<text{class} x=\"{MARGIN}\" y=\"{y}\" textLength=\"{}\" xml:space=\"preserve\" style=\"animation-delay:{delay}s\">{text}</text>\n",
            wide(line.chars().count())
        ));
    }
    svg + "</svg>\n"
}

/// The lines that a picture shows.
#[must_use]
pub fn lines_of(svg: &str) -> Vec<String> {
    let texts = svg.lines().filter(|line| line.starts_with("<text"));
    let text = |line: &str| {
        Some(line.split_once('>')?.1.strip_suffix("</text>")?.replace("&lt;", "<").replace("&amp;", "&"))
    };
    texts.filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_its_lines() {
        let lines = vec!["$ a < b &".to_owned(), "worker  partial".to_owned(), "12".to_owned()];
        let svg = svg(&lines);
        assert_eq!(lines_of(&svg), lines);
        assert!(svg.contains("class=\"answer\"") && svg.ends_with("</svg>\n"));
        assert_eq!(
            gist(&["worker-1 x".to_owned(), "total 12 of a 3".to_owned(), "2000".to_owned()]),
            ["total N of a N", "2000"]
        );
    }
}
