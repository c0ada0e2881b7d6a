//! What happens at the sandbox by itself: late answers, unanswered challenges, tokens that grow old.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::world::World;

/// How exactly a moment is kept.
const TICK: Duration = Duration::from_millis(50);

pub(crate) async fn run(world: Arc<World>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
        world.settle_due();
    }
}
