//! `compare`: the same job inline, on threads and on processes; what each costs.
//!
//! Every way runs in a process of its own, forked for it, so that its processor time and its memory are its own. What
//! it answers must be the same each time; if not, the command fails. `python` has the programs that teach the same sum.

mod python;

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::Transport;
use tally_sys::poll::{Interest, Poll};
use tally_sys::signal::{Signal, SignalStream};
use tally_sys::{clock, fd, process, usage};

use super::{Context, reduce};
use crate::args::values::{ProgressWhen, When};
use crate::conversation::{interrupted, interrupts};
use crate::exit_code;
use crate::meaning::{Place, Plan, Style};
use crate::picture;
use crate::place;
use crate::roles::{FoldMode, PrivateOptions};
use crate::show::json::{Document, Raw};
use crate::show::number;
use crate::show::table::{Side, Table};
use crate::studies::Drawing;
use crate::terminal::Terminal;
use python::{Program, Sum};

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// The job, wherever it runs.
    pub(crate) plan: Plan,
    /// The most threads, and processes.
    pub(crate) workers: u16,
    pub(crate) transports: bool,
    /// Whether the programs in Python run beside it.
    pub(crate) python: When,
    pub(crate) plot: Option<PathBuf>,
}

/// What processes are linked by when nothing is said.
const USUAL: Transport = Transport::Shm;

/// A way to run the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    how: How,
    workers: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Inline,
    Threads,
    Processes(Option<Transport>),
    Python(Program),
}

/// What a way cost.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cost {
    wall_ns: u64,
    cpu_ns: u64,
    peak_bytes: u64,
    /// The answers as the job's JSON has them.
    results: serde_json::Value,
}

impl How {
    fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Threads => "threads",
            Self::Processes(_) => "processes",
            Self::Python(_) => "python",
        }
    }
}

impl Way {
    fn label(self) -> String {
        match self.how {
            How::Inline => "inline".to_owned(),
            How::Threads => counted(self.workers, "thread", "threads"),
            How::Processes(None) => counted(self.workers, "process", "processes"),
            How::Processes(Some(transport)) => transport.name().to_owned(),
            How::Python(program) => format!("python {}", program.name()),
        }
    }

    fn plan(self, base: &Plan) -> Plan {
        let mut plan = base.clone();
        plan.progress = ProgressWhen::Never;
        plan.note = None;
        plan.spec.request.workers = Some(self.workers.into());
        plan.place = match self.how {
            // Python has no plan of ours.
            How::Inline | How::Python(_) => Place::Here(FoldMode::Inline),
            How::Threads => Place::Here(FoldMode::Threads(self.workers)),
            How::Processes(transport) => {
                plan.spec.request.transport = transport;
                let workers = Some(self.workers.into());
                Place::Private(PrivateOptions { workers, transport, ..PrivateOptions::default() })
            }
        };
        plan
    }
}

fn counted(count: u16, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Up to eight each number, then twice as many, and the most.
fn crowds(most: u16) -> Vec<u16> {
    let larger = std::iter::successors(Some(16_u16), |count| count.checked_mul(2));
    (1..=8).chain(larger).take_while(|count| *count < most).chain([most]).collect()
}

fn ways(comparison: &Comparison) -> Vec<Way> {
    let crowds = crowds(comparison.workers);
    let all = |how: How| crowds.iter().map(move |&workers| Way { how, workers });
    // The rows of processes are over the usual one.
    let over = Transport::ALL.iter().copied().filter(|&one| comparison.transports && one != USUAL);
    [Way { how: How::Inline, workers: 1 }]
        .into_iter()
        .chain(all(How::Threads))
        .chain(all(How::Processes(None)))
        .chain(
            over.map(|transport| Way { how: How::Processes(Some(transport)), workers: comparison.workers }),
        )
        .collect()
}

pub(super) fn run(context: &mut Context<'_, '_>, comparison: &Comparison) -> Result<u8, Failure> {
    let is_answer = picture::prepare(comparison.plot.as_deref(), context.style.json)?;
    let mut signals = interrupts()?;
    let mut costs = Vec::new();
    for way in ways(comparison) {
        let plan = way.plan(&comparison.plan);
        let cost = measure(&plan, &mut signals, |writer| tell(context, &plan, writer))?;
        costs.push((way, cost));
    }
    let notes = beside(comparison, &mut signals, &mut costs)?;
    let Some(first) = costs.first().map(|(_, cost)| cost.clone()) else { return Ok(exit_code::ANSWERED) };
    let same = costs.iter().all(|(_, cost)| cost.results == first.results);
    let text = if context.style.json {
        json(&costs, &first, same)
    } else {
        table(context, &costs, &first) + &conclusion(&first, same)
    };
    if is_answer {
        context.terminal.note(&text);
    } else {
        context.terminal.answer(&text)?;
    }
    for note in notes {
        context.terminal.note(&format!("tally: note: {note}\n"));
    }
    if let Some(path) = &comparison.plot {
        let svg = (context.roles.studies.draw)(drawing(comparison, &costs));
        picture::save(path, &svg, context.terminal)?;
    }
    Ok(if same { exit_code::ANSWERED } else { exit_code::FAILED })
}

/// Measures the programs in Python, where they can do the job; says why not, where somebody may wonder.
fn beside(
    comparison: &Comparison,
    signals: &mut SignalStream,
    costs: &mut Vec<(Way, Cost)>,
) -> Result<Vec<String>, Failure> {
    let asked = match comparison.python {
        When::Never => return Ok(Vec::new()),
        When::Auto => false,
        When::Always => true,
    };
    let plan = &comparison.plan;
    let note = |why: &str| Ok(vec![format!("the programs in Python are left out: {why}")]);
    let Some(sum) = Sum::of(plan) else {
        return if asked { note("they can only add up a range of integers") } else { Ok(Vec::new()) };
    };
    if plan.spec.elements > python::ELEMENTS_MAX && !asked {
        let most = number::grouped(&python::ELEMENTS_MAX.to_string());
        return note(&format!(
            "more than {most} elements take them long; --python always has them all the same"
        ));
    }
    let Some(interpreter) = python::interpreter() else { return note("there is no python3") };
    let mut notes = Vec::new();
    for program in Program::ALL {
        let failed = |why: &str| format!("the program in Python ({}) is left out: {why}", program.name());
        match measure(plan, signals, |writer| tell_python(&interpreter, program, &sum, writer)) {
            Ok(cost) => costs.push((Way { how: How::Python(program), workers: program.workers() }, cost)),
            Err(failure) if failure.code == ErrorCode::Interrupted => return Err(failure),
            Err(_) => notes.push(failed("it failed")),
        }
    }
    Ok(notes)
}

/// In the measured process: what a program in Python answers, in the form of ours, then what it cost.
fn tell_python(interpreter: &Path, program: Program, sum: &Sum, writer: &OwnedFd) -> u8 {
    let begun = clock::monotonic_ns();
    let answer = match python::run(interpreter, program, sum) {
        Ok(answer) => answer,
        Err(why) => {
            let failure = system(&format!("run the program in Python ({})", program.name()), &why);
            crate::report::failure(&mut Terminal::to(std::io::sink(), std::io::stderr()), &failure, false);
            return exit_code::FAILED;
        }
    };
    let result = Document::nested().value("reduction", "sum").value("type", "integer");
    let result = result.value("value", &answer).object().0;
    let Ok(out) = writer.try_clone() else { return exit_code::FAILED };
    let line = Document::nested().value("results", &Raw(format!("[{result}]"))).line();
    if File::from(out).write_all(line.as_bytes()).is_err() {
        return exit_code::FAILED;
    }
    tell_cost(begun, writer)
}

/// Runs it in a process of its own.
fn measure(
    plan: &Plan,
    signals: &mut SignalStream,
    body: impl FnOnce(&OwnedFd) -> u8,
) -> Result<Cost, Failure> {
    let (reader, writer) = fd::pipe().map_err(|why| system("make a pipe", &why))?;
    let keep: Vec<_> = plan.inputs.fds().into_iter().chain([writer.as_fd()]).collect();
    let parent = process::own_pid();
    let child = process::fork_child(&keep, || {
        if process::arm_parent_death(parent).is_err() {
            return exit_code::FAILED;
        }
        body(&writer)
    });
    let mut child = child.map_err(|why| system("start a process", &why))?;
    drop(writer);
    let said = match hear(&reader, signals) {
        Ok(said) => said,
        Err(failure) => {
            // What it has started ends with it.
            child.signal(Signal::Kill).and_then(|()| child.reap()).ok();
            return Err(failure);
        }
    };
    let status = child.reap().map_err(|why| system("wait for a process", &why))?;
    cost(&said).ok_or_else(|| {
        if let Some(failure) = told(&said) {
            return failure;
        }
        let message = format!("could not measure the job: its process {status}");
        let mut failure = Failure::new(ErrorCode::Internal, message);
        if let process::ExitStatus::Exited(code) = status {
            failure.exit = u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(failure.exit);
        }
        failure
    })
}

/// Why the job failed, as the measured process said it.
fn told(said: &str) -> Option<Failure> {
    said.lines().rev().find_map(|line| {
        let document: serde_json::Value = serde_json::from_str(line).ok()?;
        serde_json::from_value(document.get("error")?.clone()).ok()
    })
}

/// All that the measured process says, unless an interrupt comes first.
fn hear(reader: &OwnedFd, signals: &mut SignalStream) -> Result<String, Failure> {
    let failed = |why: std::io::Error| system("read a result", &why);
    let mut poll = Poll::new().map_err(failed)?;
    poll.watch(reader, 0, Interest::READ).map_err(failed)?;
    poll.watch(&*signals, 1, Interest::READ).map_err(failed)?;
    let (mut said, mut ready, mut buffer) = (Vec::new(), Vec::new(), [0; 4096]);
    loop {
        poll.wait(None, &mut ready).map_err(failed)?;
        if let Some(&signal) = signals.pending().map_err(failed)?.first() {
            return Err(interrupted(signal, ""));
        }
        if !ready.iter().any(|one| one.key == 0) {
            continue;
        }
        match fd::read_some(reader, &mut buffer).map_err(failed)? {
            Some(0) => return Ok(String::from_utf8_lossy(&said).into_owned()),
            Some(count) => said.extend_from_slice(&buffer[..count]),
            None => {}
        }
    }
}

/// In the measured process: the job's JSON, then what it cost.
fn tell(context: &Context<'_, '_>, plan: &Plan, writer: &OwnedFd) -> u8 {
    let (Ok(out), Ok(err)) = (writer.try_clone(), writer.try_clone()) else { return exit_code::FAILED };
    let style = Style { json: true, quiet: true, ..Style::default() };
    let mut terminal = Terminal::to(File::from(out), File::from(err));
    let begun = clock::monotonic_ns();
    let mut inner = Context { style, roles: context.roles, terminal: &mut terminal };
    let code = match reduce::run(&mut inner, plan.clone()) {
        Ok(0) => 0,
        Ok(code) => return code,
        Err(failure) => {
            crate::report::failure(&mut terminal, &failure, true);
            return failure.exit;
        }
    };
    drop(terminal);
    match tell_cost(begun, writer) {
        0 => code,
        failed => failed,
    }
}

fn tell_cost(begun: u64, writer: &OwnedFd) -> u8 {
    let wall = clock::monotonic_ns().saturating_sub(begun);
    let Ok(used) = usage::with_children() else { return exit_code::FAILED };
    let line = format!("{wall} {} {}\n", used.processor_ns, used.peak_bytes);
    let Ok(out) = writer.try_clone() else { return exit_code::FAILED };
    if File::from(out).write_all(line.as_bytes()).is_ok() { 0 } else { exit_code::FAILED }
}

/// What the measured process said; nothing if it did not come to its end.
fn cost(said: &str) -> Option<Cost> {
    let mut lines = said.lines();
    let job: serde_json::Value = serde_json::from_str(lines.next()?).ok()?;
    let numbers: Vec<u64> = lines.next()?.split(' ').map_while(|word| word.parse().ok()).collect();
    let &[wall_ns, cpu_ns, peak_bytes] = numbers.as_slice() else { return None };
    Some(Cost { wall_ns, cpu_ns, peak_bytes, results: job.get("results")?.clone() })
}

fn system(doing: &str, why: &(impl ToString + ?Sized)) -> Failure {
    Failure::new(ErrorCode::System, format!("could not {doing}: {}", place::plain(&why.to_string())))
}

/// In hundredths: how many times faster than the first.
fn speed_up(cost: &Cost, first: &Cost) -> u64 {
    let scaled = u128::from(first.wall_ns) * 100;
    scaled.checked_div(u128::from(cost.wall_ns)).and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}

fn table(context: &Context<'_, '_>, costs: &[(Way, Cost)], first: &Cost) -> String {
    let mut table = Table::new(&[
        ("HOW", Side::Left),
        ("WORKERS", Side::Right),
        ("BY", Side::Left),
        ("WALL", Side::Right),
        ("CPU", Side::Right),
        ("SPEED-UP", Side::Right),
        ("EFFICIENCY", Side::Right),
        ("PEAK MEMORY", Side::Right),
    ]);
    for (way, cost) in costs {
        let speed_up = speed_up(cost, first);
        table.row(vec![
            way.how.name().to_owned(),
            way.workers.to_string(),
            match way.how {
                How::Processes(transport) => transport.unwrap_or(USUAL).name().to_owned(),
                How::Python(program) => program.name().to_owned(),
                How::Inline | How::Threads => "-".to_owned(),
            },
            ms(cost.wall_ns),
            ms(cost.cpu_ns),
            format!("{}.{:02}", speed_up / 100, speed_up % 100),
            format!("{}%", speed_up / u64::from(way.workers.max(1))),
            format!("{} KiB", number::grouped(&(cost.peak_bytes / 1024).to_string())),
        ]);
    }
    table.for_answer(context.terminal)
}

/// Rounded, with three digits that mean something, as the drawing has them.
fn ms(ns: u64) -> String {
    let decimals = match ns {
        0..999_500 => 3,
        999_500..9_995_000 => 2,
        9_995_000..99_950_000 => 1,
        _ => 0,
    };
    format!("{} ms", number::grouped(&format!("{:.decimals$}", ns as f64 / 1e6)))
}

fn conclusion(first: &Cost, same: bool) -> String {
    let value = |one: &serde_json::Value| {
        let name = one.get("reduction").and_then(|name| name.as_str()).unwrap_or("?").to_owned();
        let value = one.get("value").and_then(|value| value.as_str()).unwrap_or("?");
        format!("{name} {}", number::cut_short(value))
    };
    let answers: Vec<String> = first.results.as_array().into_iter().flatten().map(value).collect();
    let same = if same { "the same each time" } else { "NOT the same each time" };
    format!("\nanswer: {}, {same}\nPEAK MEMORY is that of the largest process.\n", answers.join(", "))
}

fn json(costs: &[(Way, Cost)], first: &Cost, same: bool) -> String {
    let runs: Vec<String> = costs
        .iter()
        .map(|(way, cost)| {
            let transport = match way.how {
                How::Processes(transport) => Some(transport.unwrap_or(USUAL)),
                How::Inline | How::Threads | How::Python(_) => None,
            };
            let program = match way.how {
                How::Python(program) => Some(program.name()),
                How::Inline | How::Threads | How::Processes(_) => None,
            };
            let speed_up = speed_up(cost, first);
            Document::nested()
                .value("mode", way.how.name())
                .value("workers", &u64::from(way.workers))
                .maybe("transport", transport.as_ref())
                .maybe("program", program)
                .value("wall_us", &(cost.wall_ns / 1_000))
                .value("cpu_us", &(cost.cpu_ns / 1_000))
                .value("speed_up_percent", &speed_up)
                .value("efficiency_percent", &(speed_up / u64::from(way.workers.max(1))))
                .value("peak_bytes", &cost.peak_bytes)
                .object()
                .0
        })
        .collect();
    Document::new("tally.compare/1")
        .value("results", &first.results)
        .value("same", &same)
        .value("runs", &Raw(format!("[{}]", runs.join(","))))
        .line()
}

fn drawing(comparison: &Comparison, costs: &[(Way, Cost)]) -> Drawing {
    let request = &comparison.plan.spec.request;
    let values = |get: fn(&Cost) -> u64| costs.iter().map(|(_, cost)| get(cost) as f64 / 1e6).collect();
    Drawing {
        title: format!("{} of {}", request.reductions.join(", "), request.sources.join(", ")),
        unit: "milliseconds: of the clock, and of processor time of all threads and processes".to_owned(),
        labels: costs.iter().map(|(way, _)| way.label()).collect(),
        series: vec![
            ("wall".to_owned(), values(|cost| cost.wall_ns)),
            ("CPU".to_owned(), values(|cost| cost.cpu_ns)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowds_grow_to_the_most() {
        assert_eq!(crowds(1), [1]);
        assert_eq!(crowds(3), [1, 2, 3]);
        assert_eq!(crowds(20), [1, 2, 3, 4, 5, 6, 7, 8, 16, 20]);
    }

    #[test]
    fn each_link_is_measured_once() {
        let line = "compare 0..10 --workers 2 --transports";
        let Ok(crate::meaning::Verb::Compare(comparison)) = crate::meaning::tests::meant(line) else {
            panic!()
        };
        let over =
            ways(&comparison).into_iter().filter(|way| way.workers == 2).filter_map(|way| match way.how {
                How::Processes(transport) => Some(transport.unwrap_or(USUAL)),
                How::Inline | How::Threads | How::Python(_) => None,
            });
        assert_eq!(over.collect::<Vec<_>>(), Transport::ALL);
    }

    #[test]
    fn what_a_measured_process_says_is_read_or_refused() {
        let said = "{\"results\":[{\"value\":\"45\"}]}\n1000 2000 3\n";
        let found = cost(said).unwrap();
        assert_eq!((found.wall_ns, found.cpu_ns, found.peak_bytes), (1_000, 2_000, 3));
        for bad in ["", "{}\n1 2 3\n", "{\"results\":[]}\n", "{\"results\":[]}\n1 2\n", "x\n1 2 3\n"] {
            assert_eq!(cost(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_rounded_to_three_digits() {
        let times = [0, 697_400, 999_600, 5_304_000, 22_060_000, 99_960_000, 1_234_567_000].map(ms);
        assert_eq!(times, ["0.000 ms", "0.697 ms", "1.00 ms", "5.30 ms", "22.1 ms", "100 ms", "1,235 ms"]);
    }

    /// It stands on standard output, for programs to read.
    #[test]
    fn the_answer_is_not_grouped() {
        let results = serde_json::json!([{ "reduction": "sum", "value": "499999500000" }]);
        let first = Cost { results, wall_ns: 1, cpu_ns: 1, peak_bytes: 1 };
        assert!(conclusion(&first, true).contains("\nanswer: sum 499999500000, the same each time\n"));
    }

    #[test]
    fn speed_is_against_the_first() {
        let of = |wall_ns| Cost { wall_ns, ..Cost::default() };
        assert_eq!((speed_up(&of(50), &of(100)), speed_up(&of(0), &of(100))), (200, 0));
    }
}
