//! What a buyer asked for, as it stands in the address: read leniently, written back exactly, so that every filter is a link.

use api_search::{SearchRequest, SortOrder};
use kit_core::{Currency, Money};

/// Hits per page; divisible by the usual numbers of columns.
const PAGE: u32 = 24;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// "/search", "/c/cat_…" or "/s/annas-mugs".
    pub(crate) base: String,
    pub(crate) words: String,
    pub(crate) brands: Vec<String>,
    pub(crate) sellers: Vec<String>,
    /// "key=value".
    pub(crate) attributes: Vec<String>,
    pub(crate) category: String,
    /// Decimal text, as typed.
    pub(crate) min: String,
    pub(crate) max: String,
    pub(crate) available: bool,
    pub(crate) sort: String,
    pub(crate) cursor: String,
}

pub(crate) const SORTS: [(&str, &str); 5] = [
    ("", "Best match"),
    ("popular", "Most bought"),
    ("price_asc", "Price: low to high"),
    ("price_desc", "Price: high to low"),
    ("newest", "Newest first"),
];

impl Query {
    pub(crate) fn parse(base: &str, raw: Option<&str>) -> Self {
        let mut query = Self { base: base.to_owned(), ..Self::default() };
        for (name, value) in url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            let value = value.trim().to_owned();
            if value.is_empty() {
                continue;
            }
            match &*name {
                "q" => query.words = value.chars().take(300).collect(),
                "brand" => query.brands.push(value),
                "seller" => query.sellers.push(value),
                "attr" => query.attributes.push(value),
                "category" => query.category = value,
                "min" => query.min = value,
                "max" => query.max = value,
                "available" => query.available = true,
                "sort" => query.sort = value,
                "cursor" => query.cursor = value,
                _ => {}
            }
        }
        query
    }

    /// The address of this query.
    pub(crate) fn href(&self) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        let single = [
            ("q", &self.words),
            ("category", &self.category),
            ("min", &self.min),
            ("max", &self.max),
            ("sort", &self.sort),
            ("cursor", &self.cursor),
        ];
        out.extend_pairs(single.into_iter().filter(|(_, value)| !value.is_empty()));
        for (name, values) in [("brand", &self.brands), ("seller", &self.sellers), ("attr", &self.attributes)] {
            out.extend_pairs(values.iter().map(|value| (name, value)));
        }
        if self.available {
            out.append_pair("available", "true");
        }
        let pairs = out.finish();
        if pairs.is_empty() { self.base.clone() } else { format!("{}?{pairs}", self.base) }
    }

    /// The same from its first page, after a change.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut other = Self { cursor: String::new(), ..self.clone() };
        change(&mut other);
        other.href()
    }

    pub(crate) fn without_filters(&self) -> String {
        Self { base: self.base.clone(), words: self.words.clone(), sort: self.sort.clone(), ..Self::default() }.href()
    }

    pub(crate) fn filtered(&self) -> bool {
        self.filter_count() > 0
    }

    /// How many filters are on.
    pub(crate) fn filter_count(&self) -> usize {
        let single = [&self.category, &self.min, &self.max].into_iter().filter(|value| !value.is_empty()).count();
        self.brands.len() + self.sellers.len() + self.attributes.len() + single + usize::from(self.available)
    }

    /// `currency`: of the amounts.
    pub(crate) fn request(&self, currency: Currency) -> SearchRequest {
        let minor = |text: &str| Money::parse_decimal(text, currency).ok().map(|money| money.minor).filter(|minor| *minor >= 0);
        let sort = match self.sort.as_str() {
            "price_asc" => SortOrder::PriceAsc,
            "price_desc" => SortOrder::PriceDesc,
            "newest" => SortOrder::Newest,
            "popular" => SortOrder::Popular,
            _ => SortOrder::Unspecified,
        };
        SearchRequest {
            query: self.words.clone(),
            brands: self.brands.clone(),
            category_id: self.category.clone(),
            price_min_minor: minor(&self.min),
            price_max_minor: minor(&self.max),
            seller_ids: self.sellers.clone(),
            available_only: self.available,
            attributes: self.attributes.clone(),
            sort: sort.into(),
            limit: PAGE,
            cursor: self.cursor.clone(),
            facets: true,
            currency: currency.to_string(),
            ..SearchRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        let raw = "q=wireless+headphones&min=10&brand=B%26O&brand=Sony&attr=color%3DBlack&available=true";
        let query = Query::parse("/search", Some(raw));
        assert_eq!(query.href(), format!("/search?{raw}"));
        assert_eq!(query.brands, ["B&O", "Sony"]);
        assert_eq!(query.request(Currency::USD).price_min_minor, Some(1000));
        assert!(query.filtered());
        assert_eq!(query.without_filters(), "/search?q=wireless+headphones");
        assert_eq!(
            query.changed(|query| query.brands.retain(|brand| brand != "Sony")),
            "/search?q=wireless+headphones&min=10&brand=B%26O&attr=color%3DBlack&available=true"
        );
    }

    #[test]
    fn nonsense_in_an_address_is_no_error() {
        let query = Query::parse("/search", Some("min=abc&sort=up&x=1&q="));
        assert_eq!(query.request(Currency::USD).price_min_minor, None);
        assert_eq!(query.request(Currency::USD).sort(), SortOrder::Unspecified);
    }
}
