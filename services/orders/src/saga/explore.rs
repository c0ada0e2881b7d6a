//! A model checker: visits every state that a small world can reach, breadth first, so that the first wrong one is shown with the
//! shortest way to it. Written here because the worlds are small and a library would add a web server and a thread pool to the tree.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::rc::Rc;

/// More states than any world of ours has; a world that grows past it is told apart from one that is finished.
const MOST_STATES: usize = 5_000_000;
/// Steps within which a world that is left to its recovery must be at rest.
const MOST_MENDING: usize = 100;

pub(crate) trait World: Clone + Eq + Hash + Debug {
    type Step: Clone + Debug;

    /// Everything that can happen next.
    fn steps(&self) -> Vec<Self::Step>;
    fn after(&self, step: &Self::Step) -> Self;
    /// What must never be, in any state.
    fn wrong(&self) -> Option<String>;
    /// One round of the recovery job while everything answers; `None`: nothing is left to do.
    fn mended(&self) -> Option<Self>;
    /// What must not be once nothing is left to do.
    fn wrong_at_rest(&self) -> Option<String>;
}

/// A state, and from which one it was reached by which step.
type Visit<W> = (Rc<W>, Option<(usize, <W as World>::Step)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) steps: usize,
}

/// Visits everything that can be reached from `start`. Panics with the way to the first state that is wrong, or from which recovery alone
/// does not come to a right end.
pub(crate) fn explore<W: World>(start: W) -> Explored {
    let start = Rc::new(start);
    let mut known: HashSet<Rc<W>> = HashSet::from([Rc::clone(&start)]);
    let mut visited: Vec<Visit<W>> = vec![(start, None)];
    let mut sound: HashSet<W> = HashSet::new();
    let (mut at, mut steps) = (0, 0);
    while at < visited.len() {
        let world = Rc::clone(&visited[at].0);
        if let Some(wrong) = world.wrong().or_else(|| wrong_end(&*world, &mut sound)) {
            panic!("{wrong}\n{}{world:#?}", way_to(&visited, at));
        }
        for step in world.steps() {
            steps += 1;
            let next = Rc::new(world.after(&step));
            if known.insert(Rc::clone(&next)) {
                visited.push((next, Some((at, step))));
                assert!(visited.len() < MOST_STATES, "the world does not end");
            }
        }
        at += 1;
    }
    Explored { states: visited.len(), steps }
}

/// Lets recovery go on from here to the end; `sound` keeps where it was seen to end well.
fn wrong_end<W: World>(from: &W, sound: &mut HashSet<W>) -> Option<String> {
    let mut way = vec![from.clone()];
    while let Some(world) = way.last()
        && !sound.contains(world)
    {
        let Some(next) = world.mended() else {
            if let Some(wrong) = world.wrong_at_rest() {
                return Some(format!("{wrong}, when recovery goes on from here to {world:#?}"));
            }
            break;
        };
        if way.len() >= MOST_MENDING {
            return Some(format!("recovery never ends: {world:#?}"));
        }
        way.push(next);
    }
    sound.extend(way);
    None
}

fn way_to<W: World>(visited: &[Visit<W>], mut at: usize) -> String {
    let mut steps = Vec::new();
    while let Some((before, step)) = &visited[at].1 {
        steps.push(format!("{step:?}\n"));
        at = *before;
    }
    steps.reverse();
    steps.concat()
}
