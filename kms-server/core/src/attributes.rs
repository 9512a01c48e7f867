//! What a client may set, add, change and delete: the columns of the attribute table, enforced in one place.

use std::collections::BTreeSet;

use kmip::attribute::{
    ApplicationSpecificInformation, Attribute, AttributeName, Digest, Link, Modifiable, Name,
    RevocationReason, Rule, SetBy, StandardAttribute, UsageLimits,
};
use kmip::enumeration::{ObjectType, ResultReason, State};
use kmip::object::ManagedObject;
use kmip::{ProtocolVersion, TemplateAttribute};
use ttlv::Value;

use crate::operations::Call;
use crate::{Limits, Object, Refusal, size, usage_limits};

/// The attributes that a new object is to have, checked, each with its index.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewAttributes {
    attributes: Vec<Attribute>,
}

impl NewAttributes {
    /// Resolves the templates that are named, and checks every attribute against the table.
    ///
    /// Fails as the error tables of Create and Register say: Item Not Found for a template, Invalid Field for a value,
    /// Index Out of Bounds for too many instances.
    pub(crate) fn resolve(
        call: &Call<'_, '_, '_>,
        object_type: ObjectType,
        template: &TemplateAttribute,
    ) -> Result<Self, Refusal> {
        Self::gather(call, [template])?.checked(call, object_type)
    }

    /// Resolves the templates that are named, in the order of precedence that Create Key Pair has: what comes later takes the
    /// place of what came before. Nothing is checked yet but that the templates are there.
    pub(crate) fn gather<'t>(
        call: &Call<'_, '_, '_>,
        templates: impl IntoIterator<Item = &'t TemplateAttribute>,
    ) -> Result<Self, Refusal> {
        let mut new = Self::default();
        for template in templates {
            for name in &template.names {
                new.merge(call.template(name)?);
            }
            new.merge(template.attributes.clone());
        }
        Ok(new)
    }

    /// Checks what was gathered for an object of this type against the table.
    pub(crate) fn checked(
        mut self,
        call: &Call<'_, '_, '_>,
        object_type: ObjectType,
    ) -> Result<Self, Refusal> {
        self.check_size(call.limits())?;
        let mut seen: BTreeSet<&AttributeName> = BTreeSet::new();
        for attribute in &self.attributes {
            let first = seen.insert(&attribute.name);
            check_new(call, object_type, attribute, first)?;
        }
        self.number();
        self.check_dates()?;
        Ok(self)
    }

    /// Attributes as another server had them: "the attribute rules for each attribute for 'Initially set by' and 'When implicitly
    /// set' SHALL NOT be enforced" (KMIP 1.4 section 4.41); the others are.
    pub(crate) fn imported(
        call: &Call<'_, '_, '_>,
        object_type: ObjectType,
        attributes: Vec<Attribute>,
    ) -> Result<Self, Refusal> {
        let mut new = Self { attributes };
        new.check_size(call.limits())?;
        let mut seen: BTreeSet<&AttributeName> = BTreeSet::new();
        for attribute in &new.attributes {
            let first = seen.insert(&attribute.name);
            if let Some(rule) = known_rule(&attribute.name, call.version)? {
                check_form(call, rule, object_type, attribute, first)?;
            }
        }
        new.number();
        new.check_dates()?;
        Ok(new)
    }

    /// Those of `later` take the place of single-instance ones, and stand beside multi-instance ones.
    fn merge(&mut self, later: Vec<Attribute>) {
        let replaced = |known: &Attribute| {
            let single = known.name.rule().is_some_and(|rule| !rule.multiple);
            single && later.iter().any(|new| new.name == known.name)
        };
        self.attributes.retain(|known| !replaced(known));
        self.attributes.extend(later);
    }

    /// Gives each instance its index, in the order they came.
    fn number(&mut self) {
        for place in 0..self.attributes.len() {
            let (before, rest) = self.attributes.split_at_mut(place);
            let Some(attribute) = rest.first_mut() else { return };
            let count = before.iter().filter(|known| known.name == attribute.name).count();
            attribute.index = Some(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    /// Refuses more attributes, or larger ones, than an object may have.
    pub(crate) fn check_size(&self, limits: &Limits) -> Result<(), Refusal> {
        if self.attributes.len() > limits.attributes_per_object_max {
            return Err(too_many(limits.attributes_per_object_max));
        }
        check_bytes(self.attributes.iter())
    }

    pub(crate) fn check_dates(&self) -> Result<(), Refusal> {
        check_date_order(&|attribute| self.date(attribute))
    }

    /// The first value of an attribute.
    pub(crate) fn first(&self, attribute: StandardAttribute) -> Option<&Value> {
        let name = AttributeName::from(attribute);
        self.attributes.iter().find(|known| known.name == name).map(|known| &known.value)
    }

    /// All values of an attribute.
    pub(crate) fn all(&self, attribute: StandardAttribute) -> impl Iterator<Item = &Value> {
        let name = AttributeName::from(attribute);
        self.attributes.iter().filter(move |known| known.name == name).map(|known| &known.value)
    }

    /// A number among them.
    pub(crate) fn integer(&self, attribute: StandardAttribute) -> Option<i32> {
        match self.first(attribute) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// An enumeration's number among them.
    pub(crate) fn enumeration(&self, attribute: StandardAttribute) -> Option<u32> {
        match self.first(attribute) {
            Some(Value::Enumeration(number)) => Some(*number),
            _ => None,
        }
    }

    /// A date among them.
    pub(crate) fn date(&self, attribute: StandardAttribute) -> Option<i64> {
        match self.first(attribute) {
            Some(Value::DateTime(seconds)) => Some(*seconds),
            _ => None,
        }
    }

    /// Adds an attribute that the server sets, in place of any that is there.
    pub(crate) fn set(&mut self, attribute: StandardAttribute, value: Value) {
        let name = AttributeName::from(attribute);
        self.attributes.retain(|known| known.name != name);
        self.attributes.push(Attribute { name, index: Some(0), value });
    }

    /// Adds an instance that the server sets beside those that are there.
    pub(crate) fn add(&mut self, attribute: StandardAttribute, value: Value) {
        let name = AttributeName::from(attribute);
        let used = self.attributes.iter().filter(|known| known.name == name).filter_map(|known| known.index);
        let index = Some(used.max().map_or(0, |index| index.saturating_add(1)));
        self.attributes.push(Attribute { name, index, value });
    }

    /// Adds an attribute that the server sets where the client did not.
    pub(crate) fn set_if_absent(&mut self, attribute: StandardAttribute, value: Value) {
        if self.first(attribute).is_none() {
            self.set(attribute, value);
        }
    }

    /// All of them.
    pub(crate) fn into_attributes(self) -> Vec<Attribute> {
        self.attributes
    }

    /// Attributes that are there already, to be changed and completed: those of the key that a Re-key replaces.
    pub(crate) fn from_attributes(attributes: Vec<Attribute>) -> Self {
        Self { attributes }
    }

    /// Takes an attribute out.
    pub(crate) fn remove(&mut self, attribute: StandardAttribute) {
        let name = AttributeName::from(attribute);
        self.attributes.retain(|known| known.name != name);
    }

    /// Takes those over that a client wants otherwise. A Name that it wants is one more: the object that takes another's
    /// place has its names (KMIP 1.4 table 173).
    pub(crate) fn override_with(&mut self, mut other: Self) {
        let is_name = |attribute: &Attribute| attribute.name == StandardAttribute::Name.into();
        let (names, others) = other.attributes.into_iter().partition(is_name);
        other.attributes = others;
        for name in names {
            if !self.attributes.iter().any(|known| is_name(known) && known.value == name.value) {
                self.add(StandardAttribute::Name, name.value);
            }
        }
        let replaced = |known: &Attribute| other.attributes.iter().any(|new| new.name == known.name);
        self.attributes.retain(|known| !replaced(known));
        self.attributes.extend(other.attributes);
    }
}

/// Checks an attribute inside a new Template: those that a client may set, whatever objects they apply to.
pub(crate) fn check_in_template(call: &Call<'_, '_, '_>, attribute: &Attribute) -> Result<(), Refusal> {
    let Some(rule) = known_rule(&attribute.name, call.version)? else { return Ok(()) };
    check_settable(rule)?;
    check_value(rule, &attribute.value)
}

/// Refuses what the server alone sets.
fn check_settable(rule: &Rule) -> Result<(), Refusal> {
    // The table says that the server sets these first, and tables 165 and 169 that the client names them in the request.
    let named_in_request = matches!(
        rule.attribute,
        StandardAttribute::CryptographicAlgorithm
            | StandardAttribute::CryptographicLength
            | StandardAttribute::CertificateType
            | StandardAttribute::CertificateLength
            | StandardAttribute::DigitalSignatureAlgorithm
    );
    if rule.set_by == SetBy::Server && !named_in_request {
        return Err(Refusal::invalid_field(format!(
            "{} is set by the server, a request may not hold it",
            rule.name
        )));
    }
    Ok(())
}

/// Checks one attribute of a new object; `first` says that none of its name stands before it.
fn check_new(
    call: &Call<'_, '_, '_>,
    object_type: ObjectType,
    attribute: &Attribute,
    first: bool,
) -> Result<(), Refusal> {
    let name = &attribute.name;
    let Some(rule) = known_rule(name, call.version)? else { return Ok(()) };
    check_settable(rule)?;
    check_form(call, rule, object_type, attribute, first)
}

/// Checks an attribute by all of its rules but who sets it.
fn check_form(
    call: &Call<'_, '_, '_>,
    rule: &Rule,
    object_type: ObjectType,
    attribute: &Attribute,
    first: bool,
) -> Result<(), Refusal> {
    let name = &attribute.name;
    if !rule.applies_to.includes(object_type) {
        return Err(Refusal::invalid_field(format!("{name} does not apply to a {object_type}")));
    }
    if !rule.multiple && !first {
        return Err(Refusal::invalid_field(format!("{name} is there twice, an object has one")));
    }
    check_value(rule, &attribute.value)?;
    if let Some(taken) = taken_name(call, attribute) {
        return Err(Refusal::invalid_field(taken));
    }
    Ok(())
}

/// The rule of an attribute; `None` for a custom one. Unknown names, and those of later versions, are refused.
fn known_rule(name: &AttributeName, version: ProtocolVersion) -> Result<Option<&'static Rule>, Refusal> {
    if name.is_custom() {
        return Ok(None);
    }
    match name.rule().filter(|rule| rule.introduced <= version) {
        Some(rule) => Ok(Some(rule)),
        None => Err(Refusal::invalid_field(format!(
            "KMIP {version} knows no attribute {name:?}; hint: custom attributes begin with x-"
        ))),
    }
}

/// Whether a value is of the form that its attribute has.
fn check_value(rule: &Rule, value: &Value) -> Result<(), Refusal> {
    if value.item_type() != rule.item_type {
        return Err(Refusal::invalid_field(format!(
            "{} is of type {:?}, got {:?}",
            rule.name,
            rule.item_type,
            value.item_type()
        )));
    }
    let fits = match rule.attribute {
        StandardAttribute::Name => Name::from_value(value).is_some_and(|name| !name.value.is_empty()),
        StandardAttribute::Link => Link::from_value(value).is_some(),
        StandardAttribute::UsageLimits => {
            UsageLimits::from_value(value).is_some_and(|limits| limits.total >= 0)
        }
        StandardAttribute::Digest => Digest::from_value(value).is_some(),
        StandardAttribute::RevocationReason => RevocationReason::from_value(value).is_some(),
        StandardAttribute::ApplicationSpecificInformation => {
            let information = ApplicationSpecificInformation::from_value(value);
            if information.as_ref().is_some_and(|information| information.data.is_none()) {
                return Err(Refusal::new(
                    ResultReason::ApplicationNamespaceNotSupported,
                    "this server makes up no Application Data; hint: send it with the namespace",
                ));
            }
            information.is_some()
        }
        StandardAttribute::CryptographicLength => matches!(value, Value::Integer(bits) if *bits > 0),
        _ => true,
    };
    if fits { Ok(()) } else { Err(Refusal::invalid_field(format!("{} is not of its form", rule.name))) }
}

/// In words, if the attribute is a Name that another object of the tenant goes by.
fn taken_name(call: &Call<'_, '_, '_>, attribute: &Attribute) -> Option<String> {
    if attribute.name != StandardAttribute::Name.into() {
        return None;
    }
    let name = Name::from_value(&attribute.value)?;
    call.draft.named(&call.authorised, &name).next()?;
    Some(format!("an object of the name {:?} is there already", name.value))
}

/// Bytes of all attributes of one object: 1 MiB, as much as one request of the default size could bring. More is refused
/// with Index Out of Bounds; else an object could grow, request by request, past what a snapshot's record holds.
pub(crate) const ATTRIBUTES_BYTES_MAX: usize = 1 << 20;

fn check_bytes<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Result<(), Refusal> {
    let bytes: usize = attributes.map(size::of_attribute).sum();
    if bytes <= ATTRIBUTES_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("the attributes of an object have at most {ATTRIBUTES_BYTES_MAX} bytes, got {bytes}");
    Err(Refusal::new(ResultReason::IndexOutOfBounds, message))
}

fn too_many(limit: usize) -> Refusal {
    Refusal::new(ResultReason::IndexOutOfBounds, format!("an object has at most {limit} attributes"))
}

/// The order that the dates of an object have to keep (KMIP 1.4 sections 3.25 to 3.27).
fn check_date_order(date: &dyn Fn(StandardAttribute) -> Option<i64>) -> Result<(), Refusal> {
    use StandardAttribute::{ActivationDate, DeactivationDate, ProcessStartDate, ProtectStopDate};
    let in_order = |first, second| match (date(first), date(second)) {
        (Some(first), Some(second)) => first <= second,
        _ => true,
    };
    for (first, second) in [
        (ActivationDate, ProcessStartDate),
        (ActivationDate, ProtectStopDate),
        (ActivationDate, DeactivationDate),
        (ProcessStartDate, DeactivationDate),
        (ProtectStopDate, DeactivationDate),
    ] {
        if !in_order(first, second) {
            return Err(Refusal::invalid_field(format!("{} lies after {}", first.name(), second.name())));
        }
    }
    Ok(())
}

/// Checks an attribute to be added to `object`, and gives it its index (KMIP 1.4 section 11.15).
pub(crate) fn check_added(
    call: &Call<'_, '_, '_>,
    object: &Object,
    attribute: &Attribute,
) -> Result<Attribute, Refusal> {
    let name = &attribute.name;
    if attribute.index.is_some() {
        return Err(Refusal::invalid_field("the server gives a new attribute its index; hint: leave it out"));
    }
    let now = call.now();
    if let Some(rule) = known_rule(name, call.version)? {
        if rule.set_by == SetBy::Server {
            return Err(Refusal::permission_denied(format!("{name} is read-only")));
        }
        if !rule.applies_to.includes(object.object_type) {
            return Err(Refusal::permission_denied(format!(
                "{name} does not apply to a {}",
                object.object_type
            )));
        }
        if !rule.multiple && !object.instances(name, now).is_empty() {
            return Err(Refusal::illegal_operation(format!(
                "{name} is there already; hint: Modify Attribute"
            )));
        }
        if rule.client_modifies == Modifiable::No {
            return Err(Refusal::permission_denied(format!(
                "{name} is set when an object comes to be, not later"
            )));
        }
        check_change(call, rule, object, &attribute.value)?;
        if let Some(taken) = taken_name(call, attribute) {
            return Err(Refusal::illegal_operation(taken));
        }
    }
    let limit = call.limits().attributes_per_object_max;
    if object.attributes.len() >= limit {
        return Err(too_many(limit));
    }
    check_bytes(object.attributes.iter().chain([attribute]))?;
    // An index that was free once is not used again while a higher one lives (KMIP 1.4 section 2.1.1: it "SHALL NOT
    // change when other instances are added or deleted").
    let highest =
        object.attributes.iter().filter(|known| known.name == *name).filter_map(|known| known.index).max();
    let index = highest.map_or(0, |index| index.saturating_add(1));
    usage_limits::corrected(Attribute { index: Some(index), ..attribute.clone() })
}

/// Checks another value for an attribute of `object` (KMIP 1.4 section 11.16).
pub(crate) fn check_modified(
    call: &Call<'_, '_, '_>,
    object: &Object,
    attribute: &Attribute,
) -> Result<Attribute, Refusal> {
    let name = &attribute.name;
    let now = call.now();
    let index = attribute.index.unwrap_or(0);
    let rule = known_rule(name, call.version)?;
    if rule.is_some_and(|rule| rule.client_modifies == Modifiable::No) {
        return Err(Refusal::permission_denied(format!("{name} is read-only")));
    }
    let instances = object.instances(name, now);
    if instances.is_empty() {
        return Err(Refusal::invalid_field(format!("the object has no {name}; hint: Add Attribute")));
    }
    let Some(current) = instances.iter().find(|known| known.index.unwrap_or(0) == index) else {
        let reason = ResultReason::ItemNotFound;
        return Err(Refusal::new(reason, format!("the object has no {name} with index {index}")));
    };
    if let Some(rule) = rule {
        check_change(call, rule, object, &attribute.value)?;
        if current.value != attribute.value
            && let Some(taken) = taken_name(call, attribute)
        {
            return Err(Refusal::illegal_operation(taken));
        }
    }
    let others = object.attributes.iter().filter(|known| known.name != *name || known.index != Some(index));
    check_bytes(others.chain([attribute]))?;
    usage_limits::corrected(Attribute { index: Some(index), ..attribute.clone() })
}

/// Finds the attribute to be deleted from `object` (KMIP 1.4 section 11.17).
pub(crate) fn check_deleted(
    call: &Call<'_, '_, '_>,
    object: &Object,
    name: &AttributeName,
    index: Option<i32>,
) -> Result<Attribute, Refusal> {
    let now = call.now();
    if let Some(rule) = name.rule().filter(|rule| rule.introduced <= call.version) {
        if rule.always || rule.client_deletes == Modifiable::No {
            return Err(Refusal::permission_denied(format!("{name} cannot be deleted")));
        }
        check_modifiable(rule, object, now)?;
    }
    let index = index.unwrap_or(0);
    let instances = object.instances(name, now);
    let found = instances.into_iter().find(|known| known.index.unwrap_or(0) == index);
    // What a client's version cannot express is not there for it.
    found.filter(|found| found.known_in(call.version)).ok_or_else(|| {
        let reason = ResultReason::ItemNotFound;
        Refusal::new(reason, format!("the object has no {name} with index {index}"))
    })
}

/// Whether an attribute of `object` may be added, or changed, to `value` now.
fn check_change(call: &Call<'_, '_, '_>, rule: &Rule, object: &Object, value: &Value) -> Result<(), Refusal> {
    if rule.attribute == StandardAttribute::DeactivationDate {
        call.authorised.may_deactivate()?;
    }
    check_modifiable(rule, object, call.now())?;
    check_value(rule, value)?;
    check_date_change(object, rule.attribute, value)
}

/// Whether the state of the object lets its client change the attribute now.
fn check_modifiable(rule: &Rule, object: &Object, now: i64) -> Result<(), Refusal> {
    let state = object.state_at(now);
    let pre_active = state == State::PreActive;
    let pre_active_or_active = matches!(state, State::PreActive | State::Active);
    let allowed = match rule.client_modifies {
        Modifiable::No => false,
        Modifiable::Yes | Modifiable::IfOmitted => true,
        Modifiable::PreActive => pre_active,
        Modifiable::PreActiveOrActive => pre_active_or_active,
        Modifiable::UntilReached => {
            pre_active_or_active && object.date(rule.attribute).is_none_or(|date| date > now)
        }
        // Get Usage Allocation is what ends it; until it was used, the count is still the total.
        Modifiable::Unallocated => object
            .first(rule.attribute)
            .and_then(UsageLimits::from_value)
            .is_none_or(|limits| limits.count.is_none_or(|count| count == limits.total)),
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::permission_denied(format!("{} cannot be changed while the object is {state}", rule.name)))
}

/// Whether the dates of `object` keep their order when one of them becomes `value`.
fn check_date_change(object: &Object, changed: StandardAttribute, value: &Value) -> Result<(), Refusal> {
    let Value::DateTime(new) = value else { return Ok(()) };
    check_date_order(&|attribute| if attribute == changed { Some(*new) } else { object.date(attribute) })
}

impl Call<'_, '_, '_> {
    /// The attributes of a template of the client's own, by name.
    fn template(&self, name: &Name) -> Result<Vec<Attribute>, Refusal> {
        let found = self
            .draft
            .named(&self.authorised, name)
            .find(|object| object.object_type == ObjectType::Template);
        let not_found =
            || Refusal::new(ResultReason::ItemNotFound, format!("no template of the name {:?}", name.value));
        let found = found.ok_or_else(not_found)?;
        if found.is_archived() {
            return Err(Refusal::object_archived(found.id));
        }
        match self.open(found)? {
            ManagedObject::Template(mut attributes) => {
                // A Name inside is the template's own.
                attributes.retain(|attribute| attribute.name != StandardAttribute::Name.into());
                Ok(attributes)
            }
            _ => Err(not_found()),
        }
    }
}
