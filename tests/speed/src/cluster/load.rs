//! The loop that asks, the same for every rival: each client waits for its answer before it asks again.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// Answers of the first moments do not count.
const WARM_UP: Duration = Duration::from_millis(500);

/// Asks one question, and waits for its answer.
pub(super) trait Client: Send + 'static {
    /// Fails where the answer is not what was asked for: such a rate would say nothing.
    fn ask(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Clients whose connections stay open between their turns.
pub(super) struct Load<C> {
    clients: Vec<C>,
}

/// What a turn showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Answers in a second, after the warm-up.
    pub(super) per_second: f64,
    /// All answers, those of the warm-up with them.
    pub(super) answered: u64,
}

impl<C: Client> Load<C> {
    pub(super) fn new(clients: Vec<C>) -> Self {
        Self { clients }
    }

    /// All clients ask for so long.
    pub(super) async fn turn(&mut self, turn: Duration) -> anyhow::Result<Counted> {
        let began = Instant::now() + WARM_UP;
        let ends = began + turn;
        let (mut counted, mut answered) = (0, 0);
        let mut asking = JoinSet::new();
        for mut client in self.clients.drain(..) {
            asking.spawn(async move {
                let (mut counted, mut answered) = (0_u64, 0_u64);
                loop {
                    client.ask().await?;
                    answered += 1;
                    match Instant::now() {
                        now if now >= ends => return Ok((client, counted, answered)),
                        now => counted += u64::from(now >= began),
                    }
                }
            });
        }
        while let Some(ended) = asking.join_next().await {
            let ended: anyhow::Result<_> = ended?;
            let (client, some, all) = ended?;
            self.clients.push(client);
            (counted, answered) = (counted + some, answered + all);
        }
        Ok(Counted { per_second: counted as f64 / turn.as_secs_f64(), answered })
    }

    /// Clients ask until they have been answered so often together.
    pub(super) async fn times(&mut self, count: usize) -> anyhow::Result<()> {
        let share = count.div_ceil(self.clients.len());
        let mut asking = JoinSet::new();
        for mut client in self.clients.drain(..) {
            asking.spawn(async move {
                for _ in 0..share {
                    client.ask().await?;
                }
                Ok(client)
            });
        }
        while let Some(ended) = asking.join_next().await {
            let ended: anyhow::Result<_> = ended?;
            self.clients.push(ended?);
        }
        Ok(())
    }
}
