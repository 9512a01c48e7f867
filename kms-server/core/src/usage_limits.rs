//! Usage Limits: how much of a key's allowance is left, and taking from it (KMIP 1.4 section 3.21).
//!
//! What is taken is an event like any other change. Only the leader decides, each request on top of those before it, so
//! two nodes that are asked at once never hand out the same unit.

use kmip::attribute::UsageLimits;
use kmip::{Attribute, StandardAttribute};
use ttlv::Value;

use crate::attributes::NewAttributes;
use crate::operations::Call;
use crate::{Event, Object, Refusal};

/// The limits of an object that has some.
pub(crate) fn of(object: &Object) -> Option<UsageLimits> {
    object.first(StandardAttribute::UsageLimits).and_then(UsageLimits::from_value)
}

/// Units that are left.
pub(crate) fn left(limits: &UsageLimits) -> i64 {
    limits.count.unwrap_or(limits.total)
}

/// The whole allowance, whatever count came with it: "the server SHALL ignore the Usage Limits Count value if the attribute
/// is specified in an operation that creates a new object".
pub(crate) fn whole(value: &Value) -> Option<Value> {
    let limits = UsageLimits::from_value(value)?;
    Some(UsageLimits { count: Some(limits.total), ..limits }.to_value())
}

/// The attribute as a client may add it or change it to: the count "SHALL NOT be set or modified by the client", so it is
/// the total again. Repeating what the server says is no such setting.
pub(crate) fn corrected(attribute: Attribute) -> Result<Attribute, Refusal> {
    let Some(limits) = UsageLimits::from_value(&attribute.value) else { return Ok(attribute) };
    if limits.count.is_some_and(|count| count != limits.total) {
        return Err(Refusal::permission_denied(
            "the Usage Limits Count is the server's to set; hint: send Total and Unit alone",
        ));
    }
    Ok(Attribute { value: UsageLimits { count: Some(limits.total), ..limits }.to_value(), ..attribute })
}

impl NewAttributes {
    /// A new object has its whole allowance.
    pub(crate) fn begin_usage_limits(&mut self) {
        if let Some(whole) = self.first(StandardAttribute::UsageLimits).and_then(whole) {
            self.set(StandardAttribute::UsageLimits, whole);
        }
    }
}

impl Call<'_, '_, '_> {
    /// Takes `units` from what is left.
    ///
    /// Fails with Permission Denied where less is left.
    pub(crate) fn allocate(
        &mut self,
        object: &Object,
        limits: UsageLimits,
        units: i64,
    ) -> Result<(), Refusal> {
        let left = left(&limits);
        if units > left {
            return Err(Refusal::permission_denied(format!(
                "the key's Usage Limits allow {left} more, this use needs {units}"
            )));
        }
        let counted = UsageLimits { count: Some(left - units), ..limits };
        let attribute = Attribute {
            index: Some(0),
            ..Attribute::new(StandardAttribute::UsageLimits, counted.to_value())
        };
        self.draft(Event::AttributeSet { id: object.id, at: self.now(), attribute });
        Ok(())
    }
}
