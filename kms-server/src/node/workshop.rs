//! What takes long to compute, made beside the task that decides: RSA pairs, and passwords stretched over many iterations.
//!
//! A request is decided without it first, which finds out what it needs and comes to nothing; then that is made, on threads of
//! its own and few at once; then the request is decided again, with it. Whoever asks again meanwhile with the same token waits for
//! what is being made, and does not have it made a second time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kms_core::Token;
use kms_core::cryptography::{CryptographyError, MadePair, PairKind, Stretching, Workshop as Makes};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use zeroize::Zeroizing;

use crate::cryptography::OpenSsl;

/// Toils that one request may need; one more is refused as a Cryptographic Failure.
pub(super) const TOILS_MAX: usize = 16;

/// Iterations of a stretching that are done at once, as they take no longer than other cryptography: a millisecond or two.
const ITERATIONS_AT_ONCE_MAX: u32 = 5_000;

/// Bytes of a stretching that is done at once.
const BYTES_AT_ONCE_MAX: usize = 64;

/// Something that takes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Toil {
    Pair(PairKind),
    Stretch(Stretching),
}

/// What came of it.
#[derive(Clone)]
enum Product {
    Pair(Result<MadePair, CryptographyError>),
    Stretched(Result<Zeroizing<Vec<u8>>, CryptographyError>),
}

/// A toil that is done.
#[derive(Clone)]
pub(super) struct Made {
    toil: Toil,
    product: Product,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("toil", &self.toil).finish_non_exhaustive()
    }
}

impl Toil {
    fn carry_out(self) -> Made {
        let product = match &self {
            Self::Pair(kind) => Product::Pair(OpenSsl.make_pair(*kind)),
            Self::Stretch(stretching) => Product::Stretched(OpenSsl.stretch(stretching)),
        };
        Made { toil: self, product }
    }

    /// What comes of it where its thread ends without a product.
    fn failed(&self) -> Made {
        let error = CryptographyError::Failed(
            "the computation broke off; hint: the server's log says why".to_owned(),
        );
        let product = match self {
            Self::Pair(_) => Product::Pair(Err(error)),
            Self::Stretch(_) => Product::Stretched(Err(error)),
        };
        Made { toil: self.clone(), product }
    }
}

/// Where one request is decided: what was made for it lies here, and what it needs besides is written down.
pub(super) struct Bench<'a> {
    made: &'a [Made],
    /// Which of them is a key by now; one that is must not be a second one's.
    used: RefCell<Vec<bool>>,
    needed: RefCell<Vec<Toil>>,
    lacking: Cell<bool>,
}

impl<'a> Bench<'a> {
    pub(super) fn with(made: &'a [Made]) -> Self {
        let used = RefCell::new(vec![false; made.len()]);
        Self { made, used, needed: RefCell::default(), lacking: Cell::new(false) }
    }

    /// All that the request needs, where some of it is not made yet.
    pub(super) fn needs(self) -> Option<Vec<Toil>> {
        self.lacking.get().then(|| self.needed.into_inner())
    }

    fn take(&self, toil: Toil) -> Result<&'a Product, CryptographyError> {
        let mut needed = self.needed.borrow_mut();
        if needed.len() >= TOILS_MAX {
            return Err(CryptographyError::Failed(format!(
                "one request has at most {TOILS_MAX} RSA pairs and long derivations; hint: send several requests"
            )));
        }
        let mut used = self.used.borrow_mut();
        let found = self.made.iter().zip(used.iter_mut()).find(|(made, used)| !**used && made.toil == toil);
        needed.push(toil);
        match found {
            Some((made, used)) => {
                *used = true;
                Ok(&made.product)
            }
            None => {
                self.lacking.set(true);
                Err(CryptographyError::Later)
            }
        }
    }
}

impl Makes for Bench<'_> {
    fn make_pair(&self, kind: PairKind) -> Result<MadePair, CryptographyError> {
        match kind {
            PairKind::Ec(_) => OpenSsl.make_pair(kind),
            PairKind::Rsa { .. } => match self.take(Toil::Pair(kind))? {
                Product::Pair(made) => made.clone(),
                Product::Stretched(_) => Err(CryptographyError::Later),
            },
        }
    }

    fn stretch(&self, stretching: &Stretching) -> Result<Zeroizing<Vec<u8>>, CryptographyError> {
        if stretching.iterations <= ITERATIONS_AT_ONCE_MAX && stretching.bytes <= BYTES_AT_ONCE_MAX {
            return OpenSsl.stretch(stretching);
        }
        match self.take(Toil::Stretch(stretching.clone()))? {
            Product::Stretched(made) => made.clone(),
            Product::Pair(_) => Err(CryptographyError::Later),
        }
    }
}

/// What was made for the requests that are waited for.
#[derive(Debug)]
pub(super) struct Workshop {
    /// Toils at once: half of the processors, so that deciding and answering go on beside them.
    pub(super) threads: Semaphore,
    places: Mutex<HashMap<Token, Arc<AsyncMutex<Vec<Made>>>>>,
}

impl Default for Workshop {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads: Semaphore::new((processors / 2).max(1)), places: Mutex::default() }
    }
}

/// What is made for one token, as long as somebody waits for it.
pub(super) struct Place<'a> {
    workshop: &'a Workshop,
    token: Token,
    /// Only [`Drop`] takes it.
    made: Option<Arc<AsyncMutex<Vec<Made>>>>,
}

impl Workshop {
    pub(super) fn place(&self, token: Token) -> Place<'_> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let made = Some(Arc::clone(places.entry(token).or_default()));
        Place { workshop: self, token, made }
    }
}

impl Place<'_> {
    /// Makes those of `toils` that are not made yet, and gives all that is made for the token.
    pub(super) async fn make(&self, toils: Vec<Toil>) -> Arc<Vec<Made>> {
        let Some(made) = &self.made else { return Arc::default() };
        let mut made = made.lock().await;
        let mut there: Vec<Toil> = made.iter().map(|made| made.toil.clone()).collect();
        for toil in toils {
            if let Some(place) = there.iter().position(|known| *known == toil) {
                there.swap_remove(place);
                continue;
            }
            // Nobody closes it.
            let Ok(_permit) = self.workshop.threads.acquire().await else { break };
            let failed = toil.failed();
            made.push(tokio::task::spawn_blocking(move || toil.carry_out()).await.unwrap_or(failed));
        }
        Arc::new(made.clone())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.workshop.places.lock().unwrap_or_else(PoisonError::into_inner);
        self.made = None;
        if places.get(&self.token).is_some_and(|made| Arc::strong_count(made) == 1) {
            places.remove(&self.token);
        }
    }
}
