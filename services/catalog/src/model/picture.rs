//! Media files: what they are by their content, and pictures made smaller.

use std::io::Cursor;

use api_catalog::MediaKind;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::config::Config;
use crate::error::Error;

/// The widths pictures are made in. A closed list, so that nobody can make the server draw without end.
pub(crate) const WIDTHS: [u32; 7] = [96, 160, 320, 640, 960, 1280, 1920];
const JPEG_QUALITY: u8 = 82;
const WEBP_QUALITY: f32 = 80.0;

/// What a file is, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub kind: MediaKind,
    pub content_type: &'static str,
    image: Option<ImageFormat>,
}

/// A file that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub format: Format,
    pub width: u32,
    pub height: u32,
}

/// What a reader asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendition {
    Original,
    Webp(u32),
    Jpeg(u32),
}

impl Rendition {
    /// "original", "640.webp", "320.jpg".
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "original" {
            return Some(Self::Original);
        }
        let (width, format) = text.split_once('.')?;
        let width = WIDTHS.into_iter().find(|known| known.to_string() == width)?;
        match format {
            "webp" => Some(Self::Webp(width)),
            "jpg" => Some(Self::Jpeg(width)),
            _ => None,
        }
    }
}

/// The format by magic number; `None`: nothing that is served here (HTML and SVG with their scripts among it).
pub(crate) fn recognise(content: &[u8]) -> Option<Format> {
    let image = |format, content_type| Some(Format { kind: MediaKind::Image, content_type, image: Some(format) });
    let file = |kind, content_type| Some(Format { kind, content_type, image: None });
    let at = |from: usize, magic: &[u8]| content.get(from..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, &[0xff, 0xd8, 0xff]) {
        image(ImageFormat::Jpeg, "image/jpeg")
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        image(ImageFormat::Png, "image/png")
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        image(ImageFormat::Gif, "image/gif")
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        image(ImageFormat::WebP, "image/webp")
    } else if at(0, b"%PDF-") {
        file(MediaKind::Document, "application/pdf")
    } else if at(4, b"ftyp") {
        file(MediaKind::Video, "video/mp4")
    } else if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
        file(MediaKind::Video, "video/webm")
    } else {
        None
    }
}

/// Checks a file by its content: pictures are decoded whole, within the limits.
pub(crate) fn accept(content: &[u8], config: &Config) -> Result<Accepted, Error> {
    let unsupported = || Error::MediaUnsupported("is not a picture (JPEG, PNG, WebP, GIF), document (PDF) or video (MP4, WebM)".to_owned());
    let format = recognise(content).ok_or_else(unsupported)?;
    let limit = if format.image.is_some() { config.image_bytes } else { config.file_bytes };
    if content.len() > limit {
        return Err(Error::MediaUnsupported(format!("is larger than {} MiB", limit >> 20)));
    }
    if format.image.is_none() {
        return Ok(Accepted { format, width: 0, height: 0 });
    }
    let image = decode(content, format, config.image_pixels)?;
    Ok(Accepted { format, width: image.width(), height: image.height() })
}

fn decode(content: &[u8], format: Format, max_pixels: u64) -> Result<DynamicImage, Error> {
    let unreadable = |error: image::ImageError| Error::ImageUnreadable(format!("is not a readable {} picture: {error}", format.content_type));
    let mut reader = ImageReader::new(Cursor::new(content));
    if let Some(format) = format.image {
        reader.set_format(format);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_pixels.saturating_mul(8));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(Error::ImageUnreadable(format!("has {width} × {height} pixels; at most {max_pixels} pixels are accepted")));
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Draws a rendition: never wider than the original. Takes tens of milliseconds of a processor, so never on an async thread.
pub(crate) fn render(content: &[u8], rendition: Rendition, max_pixels: u64) -> Result<(Vec<u8>, &'static str), Error> {
    let format = recognise(content).filter(|format| format.image.is_some()).ok_or(Error::FileNotFound)?;
    let image = decode(content, format, max_pixels)?;
    let shrink = |width: u32| {
        if image.width() <= width {
            return image.clone();
        }
        let height = (u64::from(image.height()) * u64::from(width) / u64::from(image.width())).max(1);
        image.resize_exact(width, u32::try_from(height).unwrap_or(u32::MAX), image::imageops::FilterType::CatmullRom)
    };
    match rendition {
        Rendition::Original => Ok((content.to_vec(), format.content_type)),
        Rendition::Webp(width) => {
            let pixels = shrink(width).to_rgba8();
            let encoded = webp::Encoder::from_rgba(&pixels, pixels.width(), pixels.height()).encode(WEBP_QUALITY);
            Ok((encoded.to_vec(), "image/webp"))
        }
        Rendition::Jpeg(width) => {
            let mut out = Vec::new();
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY);
            let flat = on_white(&shrink(width));
            flat.write_with_encoder(encoder).map_err(|error| Error::ImageUnreadable(error.to_string()))?;
            Ok((out, "image/jpeg"))
        }
    }
}

/// JPEG knows no transparency: what shines through is white.
fn on_white(image: &DynamicImage) -> image::RgbImage {
    let pixels = image.to_rgba8();
    image::RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [red, green, blue, alpha] = pixels.get_pixel(x, y).0;
        let mix = |channel: u8| u8::try_from((u32::from(channel) * u32::from(alpha) + 255 * (255 - u32::from(alpha)) + 127) / 255).unwrap_or(255);
        image::Rgb([mix(red), mix(green), mix(blue)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let image = image::RgbaImage::from_pixel(width, height, image::Rgba([255, 0, 0, 0]));
        image.write_to(&mut Cursor::new(&mut out), ImageFormat::Png).unwrap();
        out
    }

    #[test]
    fn files_are_told_apart_by_content() {
        assert_eq!(recognise(&png(1, 1)).unwrap().content_type, "image/png");
        assert_eq!(recognise(b"%PDF-1.7 ...").unwrap().kind, MediaKind::Document);
        for wrong in [&b""[..], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"MZ\x90", b"RIFFxxxxWAVE"] {
            assert!(recognise(wrong).is_none());
        }
    }

    #[test]
    fn a_picture_that_is_none_or_too_large_is_refused() {
        let config = Config { image_pixels: 100, ..Config::default() };
        assert!(matches!(accept(b"\x89PNG\r\n\x1a\nnot really", &config), Err(Error::ImageUnreadable(_))));
        assert!(matches!(accept(&png(11, 11), &config), Err(Error::ImageUnreadable(_))));
        assert!(matches!(accept(b"plain text", &config), Err(Error::MediaUnsupported(_))));
        assert_eq!(accept(&png(10, 10), &config).unwrap().width, 10);
    }

    #[test]
    fn renditions_shrink_and_never_grow() {
        assert_eq!(Rendition::parse("640.webp"), Some(Rendition::Webp(640)));
        for wrong in ["641.webp", "640.gif", "640", "", "0640.webp", "original.jpg"] {
            assert_eq!(Rendition::parse(wrong), None, "{wrong}");
        }
        let original = png(400, 200);
        for (rendition, width) in [(Rendition::Webp(160), 160), (Rendition::Jpeg(96), 96), (Rendition::Webp(640), 400)] {
            let (bytes, _) = render(&original, rendition, 1_000_000).unwrap();
            let drawn = image::load_from_memory(&bytes).unwrap();
            assert_eq!((drawn.width(), drawn.height()), (width, width / 2));
        }
        let (jpeg, _) = render(&original, Rendition::Jpeg(96), 1_000_000).unwrap();
        assert!(
            image::load_from_memory(&jpeg).unwrap().to_rgb8().get_pixel(5, 5).0.iter().all(|channel| *channel > 250),
            "transparent becomes white"
        );
    }
}
