use api_catalog::*;
use image::ImageFormat;

use crate::market::{Shop, mug, open, reason};

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([u8::try_from(x % 256).unwrap(), u8::try_from(y % 256).unwrap(), 90]));
    picture.write_to(&mut std::io::Cursor::new(&mut out), ImageFormat::Png).unwrap();
    out
}

async fn upload(shop: &Shop, content: Vec<u8>) -> Result<Media, tonic::Status> {
    let request = UploadMediaRequest { content: content.into(), alt: "a mug".to_owned() };
    Ok(shop.catalog().upload_media(shop.seller.request(request)).await?.into_inner().media.unwrap())
}

#[tokio::test]
async fn a_picture_is_kept_once_and_served_in_sizes() {
    let shop = open().await;
    let media = upload(&shop, png(800, 400)).await.unwrap();
    assert_eq!((media.kind(), media.width, media.height, media.content_type.as_str()), (MediaKind::Image, 800, 400, "image/png"));
    assert_eq!(upload(&shop, png(800, 400)).await.unwrap().media_id, media.media_id);

    let get = async |rendition: &str| {
        let request = GetMediaRequest { hash: media.hash.clone(), rendition: rendition.to_owned() };
        shop.catalog().get_media(shop.market.nobody().request(request)).await
    };
    let small = get("320.webp").await.unwrap().into_inner();
    assert_eq!(small.content_type, "image/webp");
    assert_eq!(image::load_from_memory(&small.data).unwrap().width(), 320);
    assert_eq!(get("320.webp").await.unwrap().into_inner().data, small.data);
    assert_eq!(get("original").await.unwrap().into_inner().data.len(), usize::try_from(media.bytes).unwrap());
    for wrong in ["321.webp", "320.exe", "../../etc"] {
        assert_eq!(reason(get(wrong).await), "MEDIA_NOT_FOUND", "{wrong}");
    }

    let product = shop.create(CreateProductRequest { media_ids: vec![media.media_id.clone()], ..mug("MUG") }).await.unwrap();
    assert_eq!(product.media[0].alt, "a mug");
}

#[tokio::test]
async fn what_is_no_picture_document_or_video_is_refused() {
    let shop = open().await;
    assert_eq!(reason(upload(&shop, b"\x89PNG\r\n\x1a\nbroken".to_vec()).await), "IMAGE_UNREADABLE");
    assert_eq!(reason(upload(&shop, b"<svg onload='x()'/>".to_vec()).await), "MEDIA_UNSUPPORTED");
    let pdf = upload(&shop, b"%PDF-1.7 manual".to_vec()).await.unwrap();
    assert_eq!(pdf.kind(), MediaKind::Document);
    let request = GetMediaRequest { hash: pdf.hash, rendition: "320.webp".to_owned() };
    assert_eq!(reason(shop.catalog().get_media(shop.market.nobody().request(request)).await), "MEDIA_NOT_FOUND");
}
