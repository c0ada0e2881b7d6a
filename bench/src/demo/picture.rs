//! The demo's product pictures, drawn here: a few shapes in four colours on a soft ground, smoothed by their distance to the edge.

use image::{ExtendedColorType, ImageEncoder};

/// Pixels on each side.
const SIDE: u32 = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Drawing {
    Mug,
    Lamp,
    Headphones,
    Bag,
    Shoe,
    Book,
    Bottle,
    Pot,
    Speaker,
    Folded,
    Shirt,
    Blocks,
    Lock,
}

/// A shape in the unit square, y downwards.
#[derive(Clone, Copy)]
enum Form {
    /// Centre, half width, half height, corner radius.
    Plate(f64, f64, f64, f64, f64),
    /// Centre, radius.
    Disc(f64, f64, f64),
    /// Centre, radius, thickness.
    Ring(f64, f64, f64, f64),
    /// The upper half of a ring.
    Arch(f64, f64, f64, f64),
    /// From, to, thickness.
    Stroke(f64, f64, f64, f64, f64),
    /// Centre x, top y, bottom y, half width at the top, half width at the bottom.
    Taper(f64, f64, f64, f64, f64),
}

/// Which of the palette's colours: the thing itself, its shade, its light, the accent.
#[derive(Clone, Copy)]
enum Ink {
    Main,
    Shade,
    Light,
    Accent,
}

use Form::{Arch, Disc, Plate, Ring, Stroke, Taper};
use Ink::{Accent, Light, Main, Shade};

const fn forms(drawing: Drawing) -> &'static [(Form, Ink)] {
    match drawing {
        Drawing::Mug => &[
            (Ring(0.68, 0.52, 0.12, 0.05), Shade),
            (Taper(0.46, 0.3, 0.76, 0.21, 0.19), Main),
            (Plate(0.46, 0.31, 0.21, 0.02, 0.02), Light),
            (Plate(0.46, 0.6, 0.2, 0.025, 0.0), Accent),
        ],
        Drawing::Lamp => &[
            (Plate(0.5, 0.8, 0.18, 0.025, 0.02), Shade),
            (Stroke(0.5, 0.78, 0.5, 0.44, 0.025), Shade),
            (Taper(0.5, 0.2, 0.46, 0.11, 0.24), Main),
            (Plate(0.5, 0.46, 0.24, 0.012, 0.01), Light),
            (Disc(0.5, 0.5, 0.03), Accent),
        ],
        Drawing::Headphones => &[
            (Arch(0.5, 0.5, 0.26, 0.05), Main),
            (Plate(0.25, 0.58, 0.06, 0.13, 0.05), Main),
            (Plate(0.75, 0.58, 0.06, 0.13, 0.05), Main),
            (Plate(0.31, 0.58, 0.035, 0.11, 0.03), Shade),
            (Plate(0.69, 0.58, 0.035, 0.11, 0.03), Shade),
            (Disc(0.25, 0.58, 0.02), Accent),
        ],
        Drawing::Bag => &[
            (Arch(0.5, 0.36, 0.13, 0.035), Shade),
            (Plate(0.5, 0.55, 0.23, 0.23, 0.07), Main),
            (Plate(0.5, 0.66, 0.17, 0.1, 0.03), Shade),
            (Plate(0.5, 0.44, 0.23, 0.018, 0.0), Light),
            (Plate(0.5, 0.6, 0.03, 0.025, 0.01), Accent),
        ],
        Drawing::Shoe => &[
            (Plate(0.5, 0.68, 0.32, 0.045, 0.045), Light),
            (Taper(0.34, 0.36, 0.66, 0.12, 0.15), Main),
            (Plate(0.56, 0.58, 0.25, 0.08, 0.08), Main),
            (Stroke(0.42, 0.46, 0.54, 0.54, 0.02), Accent),
            (Stroke(0.46, 0.43, 0.58, 0.51, 0.02), Accent),
            (Plate(0.34, 0.36, 0.12, 0.02, 0.02), Shade),
        ],
        Drawing::Book => &[
            (Plate(0.52, 0.51, 0.2, 0.27, 0.015), Shade),
            (Plate(0.5, 0.49, 0.2, 0.27, 0.015), Main),
            (Plate(0.33, 0.49, 0.02, 0.27, 0.0), Shade),
            (Plate(0.53, 0.4, 0.11, 0.05, 0.01), Light),
            (Plate(0.64, 0.49, 0.012, 0.27, 0.0), Accent),
        ],
        Drawing::Bottle => &[
            (Plate(0.5, 0.24, 0.055, 0.05, 0.015), Shade),
            (Taper(0.5, 0.28, 0.4, 0.06, 0.14), Main),
            (Plate(0.5, 0.6, 0.14, 0.22, 0.04), Main),
            (Plate(0.5, 0.6, 0.14, 0.07, 0.0), Light),
            (Plate(0.41, 0.56, 0.012, 0.15, 0.012), Accent),
        ],
        Drawing::Pot => &[
            (Stroke(0.5, 0.5, 0.36, 0.22, 0.03), Accent),
            (Stroke(0.5, 0.5, 0.64, 0.22, 0.03), Accent),
            (Stroke(0.5, 0.5, 0.5, 0.16, 0.03), Accent),
            (Taper(0.5, 0.46, 0.8, 0.2, 0.15), Main),
            (Plate(0.5, 0.47, 0.22, 0.035, 0.02), Shade),
            (Plate(0.42, 0.64, 0.014, 0.1, 0.014), Light),
        ],
        Drawing::Speaker => &[
            (Plate(0.5, 0.5, 0.19, 0.31, 0.05), Main),
            (Disc(0.5, 0.62, 0.13), Shade),
            (Disc(0.5, 0.62, 0.06), Light),
            (Disc(0.5, 0.34, 0.07), Shade),
            (Disc(0.5, 0.34, 0.03), Accent),
        ],
        Drawing::Folded => &[
            (Plate(0.5, 0.7, 0.29, 0.075, 0.05), Shade),
            (Plate(0.5, 0.56, 0.28, 0.075, 0.05), Main),
            (Plate(0.5, 0.42, 0.27, 0.075, 0.05), Light),
            (Plate(0.34, 0.42, 0.02, 0.075, 0.0), Accent),
            (Plate(0.34, 0.56, 0.02, 0.075, 0.0), Accent),
        ],
        Drawing::Shirt => &[
            (Stroke(0.3, 0.36, 0.2, 0.52, 0.12), Shade),
            (Stroke(0.7, 0.36, 0.8, 0.52, 0.12), Shade),
            (Taper(0.5, 0.28, 0.76, 0.2, 0.19), Main),
            (Disc(0.5, 0.28, 0.07), Light),
            (Plate(0.57, 0.42, 0.035, 0.035, 0.005), Accent),
        ],
        Drawing::Blocks => &[
            (Plate(0.36, 0.68, 0.12, 0.12, 0.02), Main),
            (Plate(0.63, 0.68, 0.12, 0.12, 0.02), Shade),
            (Plate(0.5, 0.42, 0.12, 0.12, 0.02), Light),
            (Disc(0.36, 0.68, 0.05), Accent),
            (Plate(0.63, 0.68, 0.045, 0.045, 0.0), Accent),
            (Ring(0.5, 0.42, 0.045, 0.025), Accent),
        ],
        Drawing::Lock => &[
            (Arch(0.5, 0.44, 0.13, 0.05), Shade),
            (Plate(0.5, 0.58, 0.2, 0.16, 0.03), Main),
            (Disc(0.5, 0.56, 0.035), Accent),
            (Stroke(0.5, 0.57, 0.5, 0.65, 0.025), Accent),
            (Plate(0.5, 0.44, 0.2, 0.012, 0.0), Light),
        ],
    }
}

/// The signed distance from a point to the edge of a form; negative inside.
fn distance(form: Form, x: f64, y: f64) -> f64 {
    match form {
        Plate(cx, cy, half_width, half_height, radius) => {
            let (dx, dy) = ((x - cx).abs() - half_width + radius, (y - cy).abs() - half_height + radius);
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
        }
        Disc(cx, cy, radius) => (x - cx).hypot(y - cy) - radius,
        Ring(cx, cy, radius, thickness) => ((x - cx).hypot(y - cy) - radius).abs() - thickness / 2.0,
        Arch(cx, cy, radius, thickness) => {
            let bow = ((x - cx).hypot(y - cy) - radius).abs() - thickness / 2.0;
            let below = if y > cy { ((x - cx).abs() - radius).hypot(y - cy) - thickness / 2.0 } else { bow };
            if y > cy { below } else { bow }
        }
        Stroke(x1, y1, x2, y2, thickness) => {
            let (dx, dy) = (x2 - x1, y2 - y1);
            let along = (((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (x - x1 - along * dx).hypot(y - y1 - along * dy) - thickness / 2.0
        }
        Taper(cx, top, bottom, half_top, half_bottom) => {
            let down = ((y - top) / (bottom - top)).clamp(0.0, 1.0);
            let half = half_top + (half_bottom - half_top) * down;
            ((x - cx).abs() - half).max(top - y).max(y - bottom)
        }
    }
}

type Colour = [f64; 3];

/// A colour from hue (degrees), saturation and lightness, each share 0 to 1.
fn colour(hue: f64, saturation: f64, lightness: f64) -> Colour {
    let part = |offset: f64| {
        let k = (offset + hue / 30.0) % 12.0;
        lightness - saturation * lightness.min(1.0 - lightness) * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    };
    [part(0.0), part(8.0), part(4.0)]
}

fn mix(under: Colour, over: Colour, share: f64) -> Colour {
    let [a, b, c] = under;
    let [d, e, f] = over;
    [a + (d - a) * share, b + (e - b) * share, c + (f - c) * share]
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clamped colour share becomes a byte")]
fn byte(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// The picture as PNG. `tone` picks the palette; equal arguments give equal bytes.
pub(super) fn draw(drawing: Drawing, tone: u32) -> anyhow::Result<Vec<u8>> {
    let hue = f64::from(tone % 24) * 15.0;
    let ink = |ink: Ink| match ink {
        Main => colour(hue, 0.48, 0.52),
        Shade => colour(hue, 0.5, 0.36),
        Light => colour(hue, 0.45, 0.78),
        Accent => colour((hue + 180.0) % 360.0, 0.6, 0.55),
    };
    let inked: Vec<(Form, Colour)> = forms(drawing).iter().map(|(form, which)| (*form, ink(*which))).collect();
    let (top, bottom) = (colour(hue, 0.25, 0.96), colour((hue + 20.0) % 360.0, 0.22, 0.88));
    let size = f64::from(SIDE);
    let mut pixels = Vec::new();
    for row in 0..SIDE {
        for column in 0..SIDE {
            let (x, y) = ((f64::from(column) + 0.5) / size, (f64::from(row) + 0.5) / size);
            let shadow = (x - 0.5).hypot((y - 0.84) * 6.0);
            let mut here = mix(mix(top, bottom, y), [0.0, 0.0, 0.0], (0.16 * (1.0 - shadow / 0.34)).max(0.0));
            for (form, colour) in &inked {
                here = mix(here, *colour, (0.5 - distance(*form, x, y) * size).clamp(0.0, 1.0));
            }
            pixels.extend(here.map(byte));
        }
    }
    let mut png = Vec::new();
    let encoder =
        image::codecs::png::PngEncoder::new_with_quality(&mut png, image::codecs::png::CompressionType::Fast, image::codecs::png::FilterType::Up);
    encoder.write_image(&pixels, SIDE, SIDE, ExtendedColorType::Rgb8)?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_the_same_each_time_and_another_for_another_tone() {
        let mug = draw(Drawing::Mug, 3).unwrap();
        assert_eq!(mug, draw(Drawing::Mug, 3).unwrap());
        assert_ne!(mug, draw(Drawing::Mug, 4).unwrap());
        assert!(mug.len() < 200_000, "{} bytes", mug.len());
        assert_eq!(image::load_from_memory(&mug).unwrap().width(), SIDE);
    }

    #[test]
    fn every_drawing_draws() {
        for drawing in [
            Drawing::Mug,
            Drawing::Lamp,
            Drawing::Headphones,
            Drawing::Bag,
            Drawing::Shoe,
            Drawing::Book,
            Drawing::Bottle,
            Drawing::Pot,
            Drawing::Speaker,
            Drawing::Folded,
            Drawing::Shirt,
            Drawing::Blocks,
            Drawing::Lock,
        ] {
            assert!(!draw(drawing, 7).unwrap().is_empty(), "{drawing:?}");
        }
    }
}
