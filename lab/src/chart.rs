//! Charts as SVG that stands alone: no script, no font, nothing to load; light or dark as the reader's screen is.
//!
//! One chart has a label for each place on the x axis and some series of values over them, drawn as bars or lines.

use crate::svg::{COLOURS, ceiling, escaped, number, opened, put};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 744.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = 330.0;
/// Lines across the drawing, and so the numbers at the y axis.
const GRID: u32 = 4;

/// How the values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bar for each value.
    Bars,
    /// A line for each series.
    Lines,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// One sentence over it.
    pub title: String,
    /// What the values are, with their unit.
    pub unit: String,
    /// The places on the x axis.
    pub labels: Vec<String>,
    /// Names and values; a value for each label.
    pub series: Vec<(String, Vec<f64>)>,
    /// Bars or lines.
    pub shape: Shape,
}

impl Chart {
    /// The drawing.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut out = opened(WIDTH, HEIGHT, &self.title, &self.unit);
        let top = ceiling(self.series.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max));
        self.grid(&mut out, top);
        match self.shape {
            Shape::Bars => self.bars(&mut out, top),
            Shape::Lines => self.lines(&mut out, top),
        }
        self.names(&mut out);
        out.push_str("</svg>\n");
        out
    }

    /// The width of one place on the x axis.
    fn step(&self) -> f64 {
        (RIGHT - LEFT) / (self.labels.len().max(1) as f64)
    }

    fn grid(&self, out: &mut String, top: f64) {
        for line in 0..=GRID {
            let value = top * f64::from(line) / f64::from(GRID);
            let y = height(value, top);
            put(
                out,
                format_args!(
                    "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" class=\"f\"/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                    LEFT - 8.0,
                    y + 4.0,
                    number(value)
                ),
            );
        }
        let turned = self.labels.iter().any(|label| label.len() > 8) && self.labels.len() > 5;
        for (at, label) in self.labels.iter().enumerate() {
            let (x, y) = (LEFT + self.step() * (at as f64 + 0.5), BOTTOM + 18.0);
            let how = if turned {
                format!("text-anchor=\"end\" transform=\"rotate(-30 {x:.1} {y:.1})\"")
            } else {
                "text-anchor=\"middle\"".to_owned()
            };
            put(out, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {how}>{}</text>\n", escaped(label)));
        }
    }

    fn bars(&self, out: &mut String, top: f64) {
        let width = self.step() * 0.8 / (self.series.len().max(1) as f64);
        for (number_of, (name, values)) in self.series.iter().enumerate() {
            for (at, value) in values.iter().enumerate() {
                let x = LEFT + self.step() * (at as f64 + 0.1) + width * (number_of as f64);
                let y = height(*value, top);
                let tip = format!(
                    "{} {}: {}",
                    self.labels.get(at).map_or("", String::as_str),
                    name,
                    number(*value)
                );
                put(
                    out,
                    format_args!(
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                         class=\"c{}\"><title>{}</title></rect>\n",
                        (width - 1.0).max(1.0),
                        BOTTOM - y,
                        number_of % COLOURS,
                        escaped(&tip)
                    ),
                );
            }
        }
    }

    fn lines(&self, out: &mut String, top: f64) {
        for (number_of, (_, values)) in self.series.iter().enumerate() {
            let point = |(at, value): (usize, &f64)| {
                format!("{:.1},{:.1}", LEFT + self.step() * (at as f64 + 0.5), height(*value, top))
            };
            let points: Vec<String> = values.iter().enumerate().map(point).collect();
            // Lines beyond the number of colours are dashed.
            let dash = if number_of < COLOURS { "" } else { " stroke-dasharray=\"6 4\"" };
            put(
                out,
                format_args!(
                    "<polyline points=\"{}\" class=\"l{}\"{dash}/>\n",
                    points.join(" "),
                    number_of % COLOURS
                ),
            );
        }
    }

    /// Which colour is which series, in up to three rows under the title.
    fn names(&self, out: &mut String) {
        if self.series.len() < 2 {
            return;
        }
        let in_row = self.series.len().div_ceil(3).max(3);
        for (at, (name, _)) in self.series.iter().enumerate() {
            let x = 16.0 + (at % in_row) as f64 * (WIDTH - 32.0) / (in_row as f64);
            let y = 62.0 + (at / in_row) as f64 * 15.0;
            let dash = if at < COLOURS { "" } else { " stroke-dasharray=\"6 4\"" };
            put(
                out,
                format_args!(
                    "<path d=\"M{x:.1} {:.1}h18\" class=\"k l{}\"{dash}/>\
                     <text x=\"{:.1}\" y=\"{y:.1}\">{}</text>\n",
                    y - 4.0,
                    at % COLOURS,
                    x + 23.0,
                    escaped(name)
                ),
            );
        }
    }
}

fn height(value: f64, top: f64) -> f64 {
    let value = if value.is_finite() { value } else { 0.0 };
    BOTTOM - (BOTTOM - TOP) * (value / top).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(shape: Shape) -> Chart {
        Chart {
            title: "a < b".into(),
            unit: "ms".into(),
            labels: vec!["one".into(), "two".into()],
            series: vec![("x".into(), vec![1.0, 30.0]), ("y & z".into(), vec![f64::NAN, 4.0])],
            shape,
        }
    }

    #[test]
    fn every_value_is_drawn_inside() {
        let svg = chart(Shape::Bars).svg();
        assert_eq!(svg.matches("<rect x=").count(), 4);
        assert_eq!(svg.matches("<title>").count(), 5);
        assert!(svg.contains("a &lt; b") && svg.contains("y &amp; z") && !svg.contains("NaN\""), "{svg}");
        assert!(chart(Shape::Lines).svg().contains("points=\"243.0,"), "{}", chart(Shape::Lines).svg());
    }

    #[test]
    fn it_stands_alone_and_knows_the_dark() {
        let svg = chart(Shape::Lines).svg();
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert!(!svg.contains("var("), "viewers that are no browsers know no variables");
        assert!(!svg.contains("href") && !svg.contains("url(") && !svg.contains("@import"));
        assert_eq!(svg.matches("http").count(), 1, "the name space is the only address");
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (most, top) in [(0.0, 1.0), (1.0, 1.0), (1.1, 2.0), (37.0, 40.0), (0.07, 0.08), (900.0, 1_000.0)]
        {
            assert!((ceiling(most) - top).abs() < top * 1e-9, "{most} {}", ceiling(most));
        }
        assert_eq!(
            [0.0, 0.5, 2.0, 250.0, 12_500.0, 4e6].map(number),
            ["0", "0.5", "2", "250", "12.5 k", "4 M"]
        );
    }
}
