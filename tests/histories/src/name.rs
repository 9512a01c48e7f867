//! A name that at most one living object goes by: what Create and Destroy do to it, and what Locate sees.

use std::collections::BTreeSet;

use todc_utils::Specification;

use crate::Answer;

/// Who goes by the name. Nobody at first.
#[derive(Debug)]
pub struct Name;

/// An object, as a small number in place of its Unique Identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its number in this history.
    pub number: u32,
    /// Whether a Create was answered with it. Otherwise it is of a Create whose answer never came.
    pub told: bool,
}

/// What was asked about the name, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameAsked {
    /// Create with the name, with the object made; refused where the name is taken.
    Create(Answer<Id>),
    /// Locate by the name, with the objects found.
    Locate(Vec<Id>),
    /// Destroy of an object that went by the name; refused where it is destroyed already.
    Destroy(Id, Answer<()>),
    /// An object of which was told was not there, not even as a destroyed one. No order explains that.
    Lost,
}

/// Who goes by a name, and which objects of Creates without an answer have been met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holder {
    holder: Option<Held>,
    met: BTreeSet<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Held {
    By(Id),
    /// By the object of a Create whose answer never came, until a Locate shows which it is.
    ByUnmet,
}

impl Specification for Name {
    type State = Holder;
    type Operation = NameAsked;

    fn init() -> Self::State {
        Holder::default()
    }

    fn apply(asked: &NameAsked, state: &Holder) -> (bool, Holder) {
        let mut next = state.clone();
        let valid = match asked {
            NameAsked::Lost => false,
            NameAsked::Create(Answer::Done(id)) => next.holder.replace(Held::By(*id)).is_none(),
            NameAsked::Create(Answer::Refused) => state.holder.is_some(),
            NameAsked::Create(Answer::Unknown) => {
                next.holder.get_or_insert(Held::ByUnmet);
                true
            }
            NameAsked::Locate(found) => match (found.as_slice(), state.holder) {
                ([], holder) => holder.is_none(),
                ([only], Some(Held::By(id))) => *only == id,
                ([only], Some(Held::ByUnmet)) => {
                    next.holder = Some(Held::By(*only));
                    !only.told && next.met.insert(*only)
                }
                (_, _) => false,
            },
            NameAsked::Destroy(id, answer) => {
                let held = state.holder == Some(Held::By(*id));
                if held {
                    next.holder = None;
                }
                match answer {
                    Answer::Done(()) => held,
                    Answer::Refused => !held,
                    Answer::Unknown => true,
                }
            }
        };
        if valid { (true, next) } else { (false, state.clone()) }
    }
}
