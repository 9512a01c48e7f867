//! A custom attribute of one key as a register of numbered values: what Add, Modify and Delete Attribute do to it, and
//! what Get Attributes sees. An Add that is carried out twice leaves two instances, and so is seen.

use todc_utils::Specification;

use crate::Answer;

/// The instances of the attribute: index and value, by index. None at first.
#[derive(Debug)]
pub struct Register;

/// What was asked about it, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterAsked {
    /// Get Attributes, with the instances that it showed.
    Read(Vec<(i32, u32)>),
    /// Add Attribute, with the index that it gave.
    Add(u32, Answer<i32>),
    /// Modify Attribute at an index; refused where it has no value.
    Modify(i32, u32, Answer<()>),
    /// Delete Attribute at an index, with the value that was there; refused where there is none.
    Delete(i32, Answer<u32>),
    /// The key, whose Create was answered, was not there. No order explains that.
    Lost,
}

impl Specification for Register {
    type State = Vec<(i32, u32)>;
    type Operation = RegisterAsked;

    fn init() -> Self::State {
        Vec::new()
    }

    fn apply(asked: &RegisterAsked, state: &Self::State) -> (bool, Self::State) {
        let at = |index: i32| state.iter().position(|(known, _)| *known == index);
        let mut next = state.clone();
        let valid = match *asked {
            RegisterAsked::Read(ref seen) => seen == state,
            RegisterAsked::Lost => false,
            RegisterAsked::Add(value, answer) => {
                // An index that was free is not given again while a higher one lives (KMIP 1.4 section 2.1.1).
                let index = state.last().map_or(0, |(highest, _)| highest + 1);
                next.push((index, value));
                // Nothing that is there stands in the way of an Add.
                matches!(answer, Answer::Unknown) || answer == Answer::Done(index)
            }
            RegisterAsked::Modify(index, value, answer) => match (at(index), answer) {
                (Some(place), Answer::Done(()) | Answer::Unknown) => {
                    next[place].1 = value;
                    true
                }
                (found, answer) => found.is_none() && answer != Answer::Done(()),
            },
            RegisterAsked::Delete(index, answer) => match (at(index), answer) {
                (Some(place), Answer::Done(value)) => next.remove(place).1 == value,
                (Some(place), Answer::Unknown) => {
                    next.remove(place);
                    true
                }
                (None, Answer::Refused | Answer::Unknown) => true,
                (Some(_), Answer::Refused) | (None, Answer::Done(_)) => false,
            },
        };
        if valid { (true, next) } else { (false, state.clone()) }
    }
}
