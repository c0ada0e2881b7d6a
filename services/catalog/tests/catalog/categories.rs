use api_catalog::*;

use crate::market::{Shop, fields, mug, open, reason};

async fn list(shop: &Shop, parent: &str, query: &str) -> Vec<Category> {
    let request = ListCategoriesRequest { parent: parent.to_owned(), query: query.to_owned(), ..Default::default() };
    shop.catalog().list_categories(shop.market.nobody().request(request)).await.unwrap().into_inner().categories
}

async fn load(shop: &Shop, content: &[u8]) -> Result<ImportTaxonomyResponse, tonic::Status> {
    let request = ImportTaxonomyRequest { content: content.to_vec().into() };
    Ok(shop.catalog().import_taxonomy(shop.operator().request(request)).await?.into_inner())
}

#[tokio::test]
async fn a_new_market_has_a_small_tree() {
    let shop = open().await;
    assert!(list(&shop, "", "").await.len() > 10);
    assert!(list(&shop, "el", "").await.iter().any(|category| category.path == ["Electronics", "Audio"]));
    assert_eq!(list(&shop, "", "electr audio").await.len(), 1);
    let get = GetCategoryRequest { category: "aa-1".to_owned() };
    let clothing = shop.catalog().get_category(shop.market.nobody().request(get)).await.unwrap().into_inner();
    let color = clothing.attributes.iter().find(|attribute| attribute.key == "color").unwrap();
    assert_eq!(color.inherited_from, "aa");
    assert!(color.values.contains(&"Black".to_owned()));
    assert_eq!(clothing.ancestors.len(), 1);
    let none = GetCategoryRequest { category: "zz".to_owned() };
    assert_eq!(reason(shop.catalog().get_category(shop.market.nobody().request(none)).await), "CATEGORY_NOT_FOUND");
}

#[tokio::test]
async fn the_operator_keeps_the_tree() {
    let shop = open().await;
    let operator = shop.operator();
    let size = PutAttributeRequest {
        key: "mug_size".to_owned(),
        name: "Mug size".to_owned(),
        r#type: AttributeType::Choice.into(),
        values: vec!["Small".to_owned(), "Large".to_owned()],
        ..Default::default()
    };
    shop.catalog().put_attribute(operator.request(size)).await.unwrap();
    let attributes = vec![CategoryAttribute { key: "mug_size".to_owned(), required: true, facet: true }];
    let mugs =
        CreateCategoryRequest { code: "mugs".to_owned(), name: "Mugs".to_owned(), parent: "hg".to_owned(), attributes, tax_category: String::new() };
    let made = shop.catalog().create_category(operator.request(mugs.clone())).await.unwrap().into_inner().category.unwrap();
    assert_eq!(made.path, ["Home & Garden", "Mugs"]);
    assert_eq!(reason(shop.catalog().create_category(operator.request(mugs)).await), "CATEGORY_TAKEN");

    let mut product = CreateProductRequest { category: "mugs".to_owned(), ..mug("MUG") };
    assert_eq!(fields(shop.create(product.clone()).await), ["attributes.mug_size"]);
    product.attributes.insert("mug_size".to_owned(), "huge".to_owned());
    assert_eq!(fields(shop.create(product.clone()).await), ["attributes.mug_size"]);
    product.attributes.insert("mug_size".to_owned(), "large".to_owned());
    let product = shop.create(product).await.unwrap();
    assert_eq!((product.attributes[0].name.as_str(), product.attributes[0].values.as_slice()), ("Mug size", &["Large".to_owned()][..]));
    let inside = ListProductsRequest { category: "hg".to_owned(), ..Default::default() };
    assert_eq!(shop.catalog().list_products(shop.seller.request(inside)).await.unwrap().into_inner().products.len(), 1);

    let rename = UpdateCategoryRequest { category: "mugs".to_owned(), name: Some("Mugs & cups".to_owned()), ..Default::default() };
    assert_eq!(shop.catalog().update_category(operator.request(rename)).await.unwrap().into_inner().category.unwrap().name, "Mugs & cups");
    let parent = DeleteCategoryRequest { category: "hg".to_owned() };
    assert_eq!(reason(shop.catalog().delete_category(operator.request(parent)).await), "CATEGORY_IN_USE");
    shop.catalog().delete_category(operator.request(DeleteCategoryRequest { category: "mugs".to_owned() })).await.unwrap();
    assert!(list(&shop, "", "cups").await.is_empty());
}

#[tokio::test]
async fn taxonomy_files_load_in_any_order_and_once() {
    let shop = open().await;
    let categories = b"id\tparent_id\tname\tattribute_keys\nx\t\tThings\tshade\nx-1\tx\tSmall things\t\n";
    let loaded = load(&shop, categories).await.unwrap();
    assert_eq!((loaded.part.as_str(), loaded.created, loaded.unchanged), ("categories", 2, 0));
    load(&shop, b"key\tname\tvalue_keys\nshade\tShade\tshade__dark\n").await.unwrap();
    load(&shop, b"key\tname\nshade__dark\tDark\n").await.unwrap();
    let again = load(&shop, categories).await.unwrap();
    assert_eq!((again.created, again.changed, again.unchanged), (0, 0, 2));
    let get = GetCategoryRequest { category: "x-1".to_owned() };
    let small = shop.catalog().get_category(shop.market.nobody().request(get)).await.unwrap().into_inner();
    assert_eq!(small.attributes[0].values, ["Dark"]);
    assert_eq!(reason(load(&shop, b"a\tb\n1\t2\n").await), "FILE_UNREADABLE");
    let export = ExportTaxonomyRequest { part: "categories".to_owned() };
    let file = shop.catalog().export_taxonomy(shop.operator().request(export)).await.unwrap().into_inner();
    let again = load(&shop, &file.data).await.unwrap();
    assert_eq!((again.created, again.changed), (0, 0), "what is exported loads as it is");
}
