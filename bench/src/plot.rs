//! Plots as SVG, drawn here: latency by percentile, and completed operations by second.

use maud::{Markup, PreEscaped, html};

use crate::engine::{Outcome, float};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 380.0;
const MARGIN: f64 = 56.0;
const GAP: f64 = 70.0;

/// The percentiles on the horizontal axis; each step is a nine more.
const PERCENTILES: [(f64, &str); 8] =
    [(0.0, "0"), (50.0, "50"), (75.0, "75"), (90.0, "90"), (95.0, "95"), (99.0, "99"), (99.9, "99.9"), (99.99, "99.99")];

struct Panel {
    left: f64,
    width: f64,
}

impl Panel {
    fn x(&self, share: f64) -> f64 {
        self.left + share * self.width
    }

    fn y(share: f64) -> f64 {
        HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)
    }
}

/// Both panels of one run.
pub(crate) fn draw(title: &str, outcome: &Outcome) -> String {
    let width = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
    let left = Panel { left: MARGIN, width };
    let right = Panel { left: MARGIN + width + GAP, width };
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) font-family="system-ui, sans-serif" font-size="12" {
            rect width="100%" height="100%" fill="#ffffff" {}
            text x=(MARGIN) y="26" font-size="16" font-weight="600" fill="#111827" { (title) }
            (latency(&left, outcome))
            (throughput(&right, outcome))
        }
    };
    svg.into_string()
}

fn latency(panel: &Panel, outcome: &Outcome) -> Markup {
    let last = float(u64::try_from(PERCENTILES.len() - 1).unwrap_or(1));
    let values: Vec<f64> =
        PERCENTILES.iter().map(|(percentile, _)| float(outcome.latencies.value_at_quantile(percentile / 100.0)) / 1000.0).collect();
    let top = nice(values.iter().copied().fold(0.0, f64::max));
    let points: Vec<(f64, f64)> = (0_u32..).zip(&values).map(|(at, value)| (panel.x(f64::from(at) / last), Panel::y(value / top))).collect();
    html! {
        (frame(panel, "latency (ms) by percentile, corrected", top))
        @for (at, (_, label)) in (0_u32..).zip(PERCENTILES) {
            text x=(panel.x(f64::from(at) / last)) y=(HEIGHT - MARGIN + 18.0) text-anchor="middle" fill="#374151" { (label) }
        }
        (line(&points, "#2563eb"))
    }
}

fn throughput(panel: &Panel, outcome: &Outcome) -> Markup {
    let top = nice(outcome.per_second.iter().copied().map(f64::from).fold(0.0, f64::max));
    let seconds = u32::try_from(outcome.per_second.len()).unwrap_or(1).max(2);
    let points: Vec<(f64, f64)> = (0_u32..)
        .zip(&outcome.per_second)
        .map(|(at, count)| (panel.x(f64::from(at) / f64::from(seconds - 1)), Panel::y(f64::from(*count) / top)))
        .collect();
    html! {
        (frame(panel, "completed per second", top))
        text x=(panel.x(0.0)) y=(HEIGHT - MARGIN + 18.0) text-anchor="middle" fill="#374151" { "0 s" }
        text x=(panel.x(1.0)) y=(HEIGHT - MARGIN + 18.0) text-anchor="middle" fill="#374151" { (seconds - 1) " s" }
        (line(&points, "#059669"))
    }
}

fn frame(panel: &Panel, title: &str, top: f64) -> Markup {
    html! {
        text x=(panel.x(0.0)) y="46" fill="#374151" { (title) }
        @for step in 0_u32..=4 {
            @let share = f64::from(step) / 4.0;
            line x1=(panel.x(0.0)) x2=(panel.x(1.0)) y1=(Panel::y(share)) y2=(Panel::y(share)) stroke="#e5e7eb" {}
            text x=(panel.x(0.0) - 6.0) y=(Panel::y(share) + 4.0) text-anchor="end" fill="#374151" { (short(top * share)) }
        }
    }
}

fn line(points: &[(f64, f64)], colour: &str) -> Markup {
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    html! {
        polyline points=(path.join(" ")) fill="none" stroke=(colour) stroke-width="2" stroke-linejoin="round" {}
        @for (x, y) in points { circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="2.5" fill=(colour) {} }
        (PreEscaped("\n"))
    }
}

/// The next of 1, 2, 5 × 10ⁿ, so that the axis reads easily.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(0.001).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= value).unwrap_or(10.0);
    step * power
}

fn short(value: f64) -> String {
    if value >= 10.0 || value == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
