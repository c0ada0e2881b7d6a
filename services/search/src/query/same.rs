//! Whether two listings are the same product: each compared with the other as a name with a name. The weights were learned on pairs of
//! offers of the same product in different shops (a logistic regression of known pairs against other likely ones, checked on folds).

use super::profile::Profile;
use super::rank::{Likeness, PARTS};

/// What both comparisons together are worth, part by part in the order of `Likeness::parts`.
const WEIGHTS: [f64; PARTS] =
    [0.0, 1.84, 1.84, -0.42, -0.42, 1.72, 1.07, -0.45, -0.51, -0.08, -1.2, 1.39, 2.5, -0.12, 6.43, -0.19, -0.12, -2.46, -0.05, 0.07];
/// Set so that ½ finds the most of what is the same with the fewest that are not, over three pairs of shops.
const BIAS: f64 = -4.63;

/// How sure it is that two listings are the same product, from 0 to 1. `described` says for each one's stems whether the other's
/// description has them.
pub(crate) fn certainty(one: &Profile, other: &Profile, described: [&[bool]; 2]) -> f64 {
    let [by_other, by_one] = described;
    let there = Likeness::between(one, other, 0.0, by_other).parts();
    let back = Likeness::between(other, one, 0.0, by_one).parts();
    let both = there.iter().zip(back).map(|((_, there), (_, back))| there + back);
    let evidence = BIAS + both.zip(WEIGHTS).map(|(value, weight)| value * weight).sum::<f64>();
    1.0 / (1.0 + (-evidence).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::lexicon::Lexicon;

    fn sure(one: &str, other: &str) -> f64 {
        let lexicon = Lexicon::default();
        let profile = |name: &str| Profile::of(name, name.split(' ').next().unwrap_or_default(), &lexicon);
        certainty(&profile(one), &profile(other), [&[false; 20], &[false; 20]])
    }

    #[test]
    fn it_makes_no_difference_who_is_asked() {
        let (one, other) = ("Sony Turntable - PSLX350H", "Sony PS-LX350H Turntable Belt Drive");
        assert!((sure(one, other) - sure(other, one)).abs() < 1e-9);
    }

    #[test]
    fn the_same_model_is_surer_than_its_neighbour_and_than_another_platform() {
        assert!(sure("Sony Turntable PSLX350H", "Sony PS-LX350H Turntable") > sure("Sony Turntable PSLX350H", "Sony PS-LX250H Turntable"));
        assert!(sure("Acme Studio 5 Mac", "Acme Studio 5 for Macintosh") > sure("Acme Studio 5 Mac", "Acme Studio 5 for Windows"));
    }
}
