//! What several workers did over time, as a picture: a row of bars for each, and above them how fast it all went.

use crate::svg::{ceiling, escaped, number, opened, put};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 944.0;
/// The rate, above.
const RATE_TOP: f64 = 88.0;
const RATE_BOTTOM: f64 = 168.0;
/// The rows, below it.
const ROWS_TOP: f64 = 190.0;
/// Under the rows: the axis, and what the colours mean is above.
const FOOT: f64 = 40.0;
/// The narrowest row that still can be seen, and the highest.
const ROW: (f64, f64) = (4.0, 24.0);
/// Higher than this the rows get narrower.
const ROWS_HEIGHT: f64 = 640.0;
/// Names of rows are at least this far apart.
const NAME: f64 = 13.0;
/// Bars are never narrower than this: a death is to be seen.
const BAR: f64 = 0.8;
/// A bar that tells of trouble and is narrower than this is pointed out.
const SLIVER: f64 = 4.0;

/// What a bar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// Done at the first try.
    Done,
    /// Done, after it had been tried before.
    Again,
    /// Lost with its worker.
    Lost,
    /// It has no answer.
    Failed,
    /// It goes on.
    Running,
}

impl BarKind {
    const ALL: [Self; 5] = [Self::Done, Self::Again, Self::Running, Self::Lost, Self::Failed];

    fn class(self) -> &'static str {
        match self {
            Self::Done => "c0",
            Self::Again => "c1",
            Self::Lost => "c3",
            Self::Failed => "c4",
            Self::Running => "c2",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "done again",
            Self::Lost => "lost with its worker",
            Self::Failed => "failed",
            Self::Running => "under way",
        }
    }
}

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeBar {
    /// The row it is in.
    pub row: u32,
    /// Its begin, in milliseconds.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// What it means.
    pub kind: BarKind,
    /// More about it, for who points at it.
    pub tip: String,
}

/// A moment that is marked in a row: a worker died.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeMark {
    /// The row it is in.
    pub row: u32,
    /// When.
    pub at_ms: u64,
    /// More about it, for who points at it.
    pub tip: String,
}

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// One sentence over it.
    pub title: String,
    /// More about it, under that.
    pub about: String,
    /// What a row is: its number comes after it.
    pub row_name: String,
    /// The time that is shown, in milliseconds.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// The bars, in any order.
    pub bars: Vec<TimeBar>,
    /// Deaths, drawn as crosses over the bars.
    pub marks: Vec<TimeMark>,
    /// When the first of `rates` begins.
    pub rates_from_ms: u64,
    /// Values in a row, each over so many milliseconds.
    pub rates: Vec<f64>,
    /// Milliseconds of each.
    pub rate_ms: u64,
    /// What the values are, with their unit.
    pub unit: String,
}

impl Timeline {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let bars = self.bars.iter().map(|bar| bar.row);
        let mut rows: Vec<u32> = bars.chain(self.marks.iter().map(|mark| mark.row)).collect();
        rows.sort_unstable();
        rows.dedup();
        let row_height = (ROWS_HEIGHT / (rows.len().max(1) as f64)).clamp(ROW.0, ROW.1);
        let bottom = ROWS_TOP + row_height * (rows.len() as f64);
        let mut out = opened(WIDTH, bottom + FOOT, &self.title, &self.about);
        self.legend(&mut out);
        self.axis(&mut out, bottom);
        self.rate(&mut out);
        self.rows(&mut out, &rows, row_height);
        self.draw_bars(&mut out, &rows, row_height);
        self.draw_marks(&mut out, &rows, row_height);
        out.push_str("</svg>\n");
        out
    }

    fn x(&self, ms: u64) -> f64 {
        let all = self.to_ms.saturating_sub(self.from_ms).max(1) as f64;
        let at = ms.clamp(self.from_ms, self.to_ms.max(self.from_ms)) - self.from_ms;
        LEFT + (RIGHT - LEFT) * (at as f64) / all
    }

    /// Only what is there is explained.
    fn legend(&self, out: &mut String) {
        let mut x = LEFT;
        for kind in BarKind::ALL.into_iter().filter(|&kind| self.bars.iter().any(|bar| bar.kind == kind)) {
            put(
                out,
                format_args!(
                    "<rect x=\"{x:.1}\" y=\"58\" width=\"12\" height=\"12\" class=\"{}\"/>\
                     <text x=\"{:.1}\" y=\"69\">{}</text>\n",
                    kind.class(),
                    x + 17.0,
                    kind.name()
                ),
            );
            x += 40.0 + 7.0 * (kind.name().len() as f64);
        }
        if !self.marks.is_empty() {
            let deaths = self.marks.len();
            let plural =
                if deaths == 1 { "a worker died".to_owned() } else { format!("{deaths} workers died") };
            let cross = cross(x + 6.0, 64.0, 4.5);
            put(out, format_args!("{cross}/><text x=\"{:.1}\" y=\"69\">{plural}</text>\n", x + 17.0));
        }
    }

    fn axis(&self, out: &mut String, bottom: f64) {
        let all_s = self.to_ms.saturating_sub(self.from_ms) as f64 / 1_000.0;
        let step_s = ceiling((all_s / 8.0).max(0.001));
        let mut at_s = 0.0;
        while at_s <= all_s * 1.000_1 {
            let x = LEFT + (RIGHT - LEFT) * at_s / all_s.max(0.001);
            put(
                out,
                format_args!(
                    "<path d=\"M{x:.1} {RATE_TOP}V{bottom:.1}\" class=\"f\"/>\
                     <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                    bottom + 18.0,
                    number(at_s)
                ),
            );
            at_s += step_s;
        }
        put(out, format_args!("<text x=\"16\" y=\"{:.1}\">seconds</text>\n", bottom + 18.0));
    }

    fn rate(&self, out: &mut String) {
        let top = ceiling(self.rates.iter().copied().filter(|rate| rate.is_finite()).fold(0.0, f64::max));
        let y = |rate: f64| RATE_BOTTOM - (RATE_BOTTOM - RATE_TOP) * (rate / top).clamp(0.0, 1.0);
        for (value, name) in [(top, number(top)), (0.0, "0".to_owned())] {
            let line = y(value);
            put(
                out,
                format_args!(
                    "<path d=\"M{LEFT} {line:.1}H{RIGHT}\" class=\"f\"/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\n",
                    LEFT - 8.0,
                    line + 4.0
                ),
            );
        }
        put(
            out,
            format_args!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                LEFT - 8.0,
                f64::midpoint(RATE_TOP, RATE_BOTTOM) + 4.0,
                escaped(&self.unit)
            ),
        );
        let mut points = Vec::new();
        for (at, &rate) in self.rates.iter().enumerate() {
            let from = self.rates_from_ms.saturating_add(self.rate_ms.saturating_mul(at as u64));
            let height = y(if rate.is_finite() { rate } else { 0.0 });
            for ms in [from, from.saturating_add(self.rate_ms)] {
                points.push(format!("{:.1},{height:.1}", self.x(ms)));
            }
        }
        put(out, format_args!("<polyline points=\"{}\" class=\"l0\"/>\n", points.join(" ")));
    }

    fn rows(&self, out: &mut String, rows: &[u32], height: f64) {
        let every = (NAME / height).ceil().max(1.0);
        for (at, row) in rows.iter().enumerate() {
            if (at as f64) % every >= 1.0 {
                continue;
            }
            put(
                out,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} {row}</text>\n",
                    LEFT - 8.0,
                    ROWS_TOP + height * (at as f64) + height / 2.0 + 4.0,
                    escaped(&self.row_name)
                ),
            );
        }
    }

    fn draw_marks(&self, out: &mut String, rows: &[u32], height: f64) {
        let size = (height * 0.3).clamp(2.5, 5.0);
        for mark in &self.marks {
            let row = rows.binary_search(&mark.row).unwrap_or(0) as f64;
            let cross = cross(self.x(mark.at_ms), ROWS_TOP + height * (row + 0.5), size);
            put(out, format_args!("{cross}><title>{}</title></path>\n", escaped(&mark.tip)));
        }
    }

    fn draw_bars(&self, out: &mut String, rows: &[u32], height: f64) {
        let gap = if height > 8.0 { 3.0 } else { 0.5 };
        // What went wrong is drawn over what did not.
        for wrong in [false, true] {
            for bar in &self.bars {
                if matches!(bar.kind, BarKind::Lost | BarKind::Failed) != wrong {
                    continue;
                }
                let row = rows.binary_search(&bar.row).unwrap_or(0) as f64;
                let (from, to) = (self.x(bar.from_ms), self.x(bar.to_ms));
                // Bars that touch are told apart by a hair of the paper between them.
                let width = (to - from - 0.4).max(if wrong { 2.0 } else { BAR });
                put(
                    out,
                    format_args!(
                        "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" class=\"{}\">\
                         <title>{}</title></rect>\n",
                        ROWS_TOP + height * row + gap / 2.0,
                        height - gap,
                        bar.kind.class(),
                        escaped(&bar.tip)
                    ),
                );
                // A sliver is easily overlooked: a wedge over it points it out.
                if bar.kind != BarKind::Done && bar.kind != BarKind::Running && width < SLIVER {
                    let (x, y) = (from + width / 2.0, ROWS_TOP + height * row + gap / 2.0);
                    put(
                        out,
                        format_args!(
                            "<path d=\"M{:.1} {:.1}h6l-3 4z\" class=\"{}\"/>\n",
                            x - 3.0,
                            y - 2.0,
                            bar.kind.class()
                        ),
                    );
                }
            }
        }
    }
}

/// A cross, its element left open: in the colour of text, with a rim of paper, so that it stands out from any bar.
fn cross(x: f64, y: f64, size: f64) -> String {
    let (left, top, both) = (x - size, y - size, size * 2.0);
    let path = format!("d=\"M{left:.1} {top:.1}l{both:.1} {both:.1}m0 -{both:.1}l-{both:.1} {both:.1}\"");
    format!("<path {path} class=\"h\"/><path {path} class=\"m\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(rows: u32) -> Timeline {
        let bar = |row, from_ms, to_ms, kind| TimeBar { row, from_ms, to_ms, kind, tip: "a < b".into() };
        let mut bars: Vec<TimeBar> = (0..rows).map(|row| bar(row, 100, 900, BarKind::Done)).collect();
        bars.push(bar(0, 900, 2_000, BarKind::Lost));
        Timeline {
            title: "j1".into(),
            about: "sum".into(),
            row_name: "worker".into(),
            from_ms: 0,
            to_ms: 2_000,
            bars,
            marks: Vec::new(),
            rates_from_ms: 0,
            rates: vec![1.0, f64::NAN, 3.0],
            rate_ms: 700,
            unit: "/s".into(),
        }
    }

    #[test]
    fn every_bar_is_inside_and_only_what_is_there_is_explained() {
        let svg = timeline(3).svg();
        assert_eq!(svg.matches("<title>a &lt; b").count(), 4);
        assert!(svg.contains("lost with its worker") && !svg.contains("done again"), "{svg}");
        assert!(svg.contains("worker 2") && !svg.contains("NaN"), "{svg}");
        for x in svg.split("x=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok()) {
            assert!((0.0..=WIDTH).contains(&x), "{x}");
        }
    }

    #[test]
    fn deaths_are_crosses_and_slivers_are_pointed_out() {
        let mut drawing = timeline(2);
        assert!(!drawing.svg().contains(" died"));
        drawing.marks = vec![TimeMark { row: 7, at_ms: 950, tip: "worker 7 (77): killed & gone".into() }];
        drawing.bars.push(TimeBar { row: 1, from_ms: 10, to_ms: 11, kind: BarKind::Lost, tip: "b".into() });
        let svg = drawing.svg();
        assert!(svg.contains("a worker died") && svg.contains("killed &amp; gone"), "{svg}");
        assert!(svg.contains("worker 7</text>"), "a row that has only a death: {svg}");
        assert_eq!(svg.matches("h6l-3 4z").count(), 1);
        // One in the legend, one in its row, each with its rim; none of them in the colour of a bar.
        assert_eq!((svg.matches("class=\"m\"").count(), svg.matches("class=\"h\"").count()), (2, 2));
        assert!(!svg.contains("class=\"l3\""), "{svg}");
    }

    #[test]
    fn many_rows_are_narrow_and_not_all_are_named() {
        let svg = timeline(1_000).svg();
        let names = svg.matches(">worker ").count();
        assert!((100..400).contains(&names), "{names}");
        assert!(timeline(0).svg().contains("</svg>"), "one that has only begun");
        let nothing = Timeline::default().svg();
        assert!(nothing.contains("seconds"), "{nothing}");
    }

    #[test]
    fn it_stands_alone_and_knows_the_dark() {
        let svg = timeline(2).svg();
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert!(!svg.contains("href") && !svg.contains("url(") && !svg.contains("@import"));
        assert_eq!(svg.matches("http").count(), 1, "the name space is the only address");
    }
}
