//! Numbers with units: "8 gigabytes" is "8gb".

/// Spellings of units and the one that is indexed.
const UNITS: [(&str, &str); 74] = [
    ("gb", "gb"),
    ("gigabyte", "gb"),
    ("gigabytes", "gb"),
    ("gig", "gb"),
    ("tb", "tb"),
    ("terabyte", "tb"),
    ("terabytes", "tb"),
    ("mb", "mb"),
    ("megabyte", "mb"),
    ("megabytes", "mb"),
    ("kb", "kb"),
    ("hz", "hz"),
    ("khz", "khz"),
    ("mhz", "mhz"),
    ("ghz", "ghz"),
    ("w", "w"),
    ("watt", "w"),
    ("watts", "w"),
    ("v", "v"),
    ("volt", "v"),
    ("volts", "v"),
    ("mah", "mah"),
    ("ah", "ah"),
    ("amp", "amp"),
    ("amps", "amp"),
    ("mm", "mm"),
    ("millimeter", "mm"),
    ("millimeters", "mm"),
    ("cm", "cm"),
    ("centimeter", "cm"),
    ("centimeters", "cm"),
    ("m", "m"),
    ("meter", "m"),
    ("meters", "m"),
    ("inch", "inch"),
    ("inches", "inch"),
    ("ft", "ft"),
    ("foot", "ft"),
    ("feet", "ft"),
    ("yd", "yd"),
    ("yard", "yd"),
    ("yards", "yd"),
    ("oz", "oz"),
    ("ounce", "oz"),
    ("ounces", "oz"),
    ("lb", "lb"),
    ("lbs", "lb"),
    ("pound", "lb"),
    ("pounds", "lb"),
    ("kg", "kg"),
    ("g", "g"),
    ("gram", "g"),
    ("grams", "g"),
    ("ml", "ml"),
    ("l", "l"),
    ("liter", "l"),
    ("liters", "l"),
    ("dpi", "dpi"),
    ("fps", "fps"),
    ("mp", "mp"),
    ("megapixel", "mp"),
    ("megapixels", "mp"),
    ("pack", "pack"),
    ("pk", "pack"),
    ("port", "port"),
    ("ports", "port"),
    ("outlet", "outlet"),
    ("outlets", "outlet"),
    ("user", "user"),
    ("users", "user"),
    ("piece", "piece"),
    ("pieces", "piece"),
    ("pc", "piece"),
    ("pcs", "piece"),
];

/// The unit that a word spells.
pub(crate) fn unit(word: &str) -> Option<&'static str> {
    UNITS.iter().find(|(spelling, _)| *spelling == word).map(|(_, unit)| *unit)
}

/// "8gigabytes" → "8gb": a number and a unit written as one word.
pub(crate) fn with_one_unit(word: &str) -> Option<String> {
    measure(word).map(|(number, unit)| format!("{number}{unit}"))
}

/// The number and the unit of a word like "8gb".
pub(crate) fn measure(word: &str) -> Option<(&str, &'static str)> {
    let letters = word.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|place| *place > 0)?;
    let (number, name) = word.split_at_checked(letters)?;
    unit(name).map(|unit| (number, unit))
}
