//! What the demo market sells, as data: ten trades of four shops each, four kinds of goods per trade.

use super::picture::Drawing;

/// One trade: its shops and its kinds of goods.
pub(crate) struct Trade {
    pub(crate) shops: [&'static str; 4],
    pub(crate) goods: [Goods; 4],
    pub(crate) makers: [&'static str; 3],
}

/// One kind of goods.
pub(crate) struct Goods {
    pub(crate) noun: &'static str,
    /// The name of its category, in the tree a new market has and in the full taxonomy alike.
    pub(crate) category: &'static str,
    pub(crate) drawing: Drawing,
    /// The range of prices, in cents.
    pub(crate) cents: (u32, u32),
    pub(crate) grams: u32,
    /// The option that makes its variants, if it has any.
    pub(crate) option: Option<(&'static str, &'static [&'static str])>,
}

const SIZES: Option<(&str, &[&str])> = Some(("Size", &["S", "M", "L", "XL"]));
const SHOE_SIZES: Option<(&str, &[&str])> = Some(("Size", &["38", "40", "42", "44"]));
const VOLUMES: Option<(&str, &[&str])> = Some(("Volume", &["250 ml", "350 ml"]));

const fn goods(noun: &'static str, category: &'static str, drawing: Drawing, cents: (u32, u32), grams: u32) -> Goods {
    Goods { noun, category, drawing, cents, grams, option: None }
}

const fn in_options(goods: Goods, option: Option<(&'static str, &'static [&'static str])>) -> Goods {
    Goods { option, ..goods }
}

pub(crate) const STYLES: [&str; 14] =
    ["Classic", "Everyday", "Nordic", "Compact", "Studio", "Heritage", "Quiet", "Bright", "Soft", "Alpine", "Harbour", "Morning", "Field", "Linear"];

pub(crate) const TRADES: [Trade; 10] = [
    Trade {
        shops: ["Kiln & Clay", "Morning Table", "Copper Pan", "Stoneware Row"],
        makers: ["Kilnhouse", "Tavola", "Ember"],
        goods: [
            in_options(goods("Stoneware Mug", "Kitchen & Dining", Drawing::Mug, (1200, 3400), 380), VOLUMES),
            goods("Coffee Grinder", "Kitchen & Dining", Drawing::Speaker, (3900, 18_900), 1400),
            goods("Tea Pot", "Kitchen & Dining", Drawing::Pot, (2400, 7900), 900),
            goods("Water Bottle", "Kitchen & Dining", Drawing::Bottle, (1500, 4200), 320),
        ],
    },
    Trade {
        shops: ["Lumen Works", "Glow Corner", "North Light", "Lamp Yard"],
        makers: ["Lumio", "Halden", "Brasso"],
        goods: [
            goods("Desk Lamp", "Lighting", Drawing::Lamp, (3500, 14_900), 1800),
            goods("Floor Lamp", "Lighting", Drawing::Lamp, (8900, 32_900), 6200),
            goods("Table Lantern", "Lighting", Drawing::Bottle, (1900, 6900), 700),
            goods("Reading Light", "Lighting", Drawing::Lamp, (1800, 5900), 300),
        ],
    },
    Trade {
        shops: ["Clear Signal", "Vinyl & Wire", "Sound Depot", "Echo Room"],
        makers: ["Auriga", "Tonmeister", "Koss & Reed"],
        goods: [
            goods("Wireless Headphones", "Audio", Drawing::Headphones, (4900, 34_900), 260),
            goods("Studio Headphones", "Audio", Drawing::Headphones, (6900, 44_900), 310),
            goods("Bookshelf Speaker", "Audio", Drawing::Speaker, (9900, 59_900), 4800),
            goods("Portable Speaker", "Audio", Drawing::Speaker, (2900, 19_900), 620),
        ],
    },
    Trade {
        shops: ["Carry On", "Strap & Buckle", "Long Weekend", "Saddle Lane"],
        makers: ["Wayfarer", "Oakhide", "Trekline"],
        goods: [
            goods("Backpack", "Luggage & Bags", Drawing::Bag, (4900, 17_900), 980),
            goods("Camera Bag", "Luggage & Bags", Drawing::Bag, (3900, 15_900), 760),
            goods("Canvas Tote", "Luggage & Bags", Drawing::Bag, (1500, 4900), 340),
            goods("Weekend Bag", "Luggage & Bags", Drawing::Bag, (6900, 24_900), 1350),
        ],
    },
    Trade {
        shops: ["Stride", "Lace & Sole", "Open Road", "Cobble Street"],
        makers: ["Fleet", "Marcher", "Corda"],
        goods: [
            in_options(goods("Running Shoes", "Shoes", Drawing::Shoe, (5900, 18_900), 620), SHOE_SIZES),
            in_options(goods("Leather Boots", "Shoes", Drawing::Shoe, (9900, 28_900), 1200), SHOE_SIZES),
            in_options(goods("Canvas Sneakers", "Shoes", Drawing::Shoe, (3900, 9900), 540), SHOE_SIZES),
            in_options(goods("Trail Shoes", "Shoes", Drawing::Shoe, (6900, 19_900), 680), SHOE_SIZES),
        ],
    },
    Trade {
        shops: ["Paper & Key", "Tidy Desk", "Office Loft", "Second Drawer"],
        makers: ["Folio", "Latch", "Deskmate"],
        goods: [
            goods("Laptop Lock", "Electronics Accessories", Drawing::Lock, (1900, 5900), 240),
            goods("Dotted Notebook", "Office Supplies", Drawing::Book, (900, 2900), 310),
            goods("Weekly Planner", "Office Supplies", Drawing::Book, (1400, 3900), 360),
            goods("Document Folder", "Office Supplies", Drawing::Book, (700, 2400), 180),
        ],
    },
    Trade {
        shops: ["Green Sill", "Leaf & Pot", "The Potting Shed", "Fern House"],
        makers: ["Terra", "Verdant", "Moss & Co"],
        goods: [
            goods("Terracotta Planter", "Home & Garden", Drawing::Pot, (1200, 6900), 1600),
            goods("Hanging Planter", "Home & Garden", Drawing::Pot, (1500, 4900), 800),
            goods("Herb Garden Kit", "Home & Garden", Drawing::Pot, (1900, 4400), 1100),
            goods("Plant Mister", "Home & Garden", Drawing::Bottle, (900, 2900), 260),
        ],
    },
    Trade {
        shops: ["Warp & Weft", "Soft Goods", "Linen Press", "Knit Hall"],
        makers: ["Lanamor", "Flax", "Merinova"],
        goods: [
            in_options(goods("Cotton T-Shirt", "Clothing", Drawing::Shirt, (1500, 4900), 180), SIZES),
            in_options(goods("Merino Sweater", "Clothing", Drawing::Shirt, (5900, 16_900), 420), SIZES),
            goods("Wool Blanket", "Decor", Drawing::Folded, (4900, 18_900), 1400),
            goods("Linen Towel Set", "Home & Garden", Drawing::Folded, (2400, 6900), 520),
        ],
    },
    Trade {
        shops: ["Block & Bear", "Rainy Day", "Little Workshop", "Kite Hill"],
        makers: ["Holzspiel", "Pip", "Tumble"],
        goods: [
            goods("Building Blocks", "Toys & Games", Drawing::Blocks, (1900, 7900), 1300),
            goods("Wooden Puzzle", "Toys & Games", Drawing::Blocks, (1200, 3900), 450),
            goods("Story Book", "Media", Drawing::Book, (900, 2400), 400),
            goods("Stacking Tower", "Toys & Games", Drawing::Blocks, (1500, 4400), 700),
        ],
    },
    Trade {
        shops: ["High Camp", "Trail Supply", "River Bend", "Basecamp Nine"],
        makers: ["Ridge", "Tarn", "Fjell"],
        goods: [
            goods("Steel Flask", "Sporting Goods", Drawing::Bottle, (1900, 4900), 410),
            goods("Enamel Camp Mug", "Sporting Goods", Drawing::Mug, (900, 2400), 160),
            goods("Hiking Pack", "Sporting Goods", Drawing::Bag, (8900, 26_900), 1700),
            goods("Camp Lantern", "Sporting Goods", Drawing::Bottle, (2400, 7900), 540),
        ],
    },
];
