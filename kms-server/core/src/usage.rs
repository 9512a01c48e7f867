//! A key in use: whether it may be used so now (KMIP 1.4 sections 3.19, 3.21, 3.22, 3.25 and 3.26), with which parameters,
//! and what of it a cryptographic operation works with.

use std::sync::Arc;

use kmip::attribute::CryptographicParameters;
use kmip::enumeration::{
    CryptographicAlgorithm, KeyFormatType, ObjectType, ResultReason, State, UsageLimitsUnit,
};
use kmip::mask::CryptographicUsageMask;
use kmip::object::{KeyMaterial, KeyValue};
use kmip::{ManagedObject, Secret, StandardAttribute, tag};
use ttlv::Value;

use crate::cryptography::{Cryptography, CryptographyError};
use crate::key_format::{self, Der};
use crate::operations::Call;
use crate::{Object, Refusal, usage_limits, wrapping};

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Encrypt,
    Decrypt,
    Sign,
    Verify,
    MacGenerate,
    MacVerify,
    WrapKey,
    UnwrapKey,
}

impl Purpose {
    /// The bits that allow it, each for itself; the one that is meant for it comes first.
    fn masks(self) -> &'static [CryptographicUsageMask] {
        match self {
            Self::Encrypt => &[CryptographicUsageMask::ENCRYPT],
            Self::Decrypt => &[CryptographicUsageMask::DECRYPT],
            Self::Sign => &[CryptographicUsageMask::SIGN],
            Self::Verify => &[CryptographicUsageMask::VERIFY],
            Self::MacGenerate => &[CryptographicUsageMask::MAC_GENERATE],
            Self::MacVerify => &[CryptographicUsageMask::MAC_VERIFY],
            Self::WrapKey => &[CryptographicUsageMask::WRAP_KEY],
            // Departs from KMIP 1.4 3.19: who may wrap may unwrap, as the public test cases TC-WRAP-2 and 3 have it.
            Self::UnwrapKey => &[CryptographicUsageMask::UNWRAP_KEY, CryptographicUsageMask::WRAP_KEY],
        }
    }

    /// Whether it applies protection, which ends with the Protect Stop Date and counts against Usage Limits, or processes
    /// what was protected, which begins with the Process Start Date.
    fn protects(self) -> bool {
        matches!(self, Self::Encrypt | Self::Sign | Self::MacGenerate | Self::WrapKey)
    }
}

/// A key that may be used.
pub(crate) struct InUse {
    pub(crate) object: Arc<Object>,
    pub(crate) material: ManagedObject,
}

impl Call<'_, '_, '_> {
    /// The key that a request means, opened, if it may be used for `purpose` now, on so many bytes of data; where that
    /// counts against its Usage Limits, drafts what is left.
    pub(crate) fn use_key(
        &mut self,
        asked: Option<&str>,
        purpose: Purpose,
        data_bytes: usize,
    ) -> Result<InUse, Refusal> {
        let object = self.object(asked)?;
        let used = self.use_object(object, purpose, data_bytes)?;
        *self.id_placeholder = Some(used.object.id);
        Ok(used)
    }

    /// The same for a later part of what was begun with [`use_key`](Self::use_key): it counts bytes, and no second use.
    pub(crate) fn use_key_further(
        &mut self,
        id: &str,
        purpose: Purpose,
        data_bytes: usize,
    ) -> Result<InUse, Refusal> {
        let object = self.object(Some(id))?;
        let by_bytes = usage_limits::of(&object).is_none_or(|limits| limits.unit == UsageLimitsUnit::Byte);
        let used = if by_bytes {
            self.use_object(object, purpose, data_bytes)?
        } else {
            self.use_uncounted(object, purpose)?
        };
        *self.id_placeholder = Some(used.object.id);
        Ok(used)
    }

    /// The same of an object that was found already; the ID Placeholder stays what it is.
    pub(crate) fn use_object(
        &mut self,
        object: Arc<Object>,
        purpose: Purpose,
        data_bytes: usize,
    ) -> Result<InUse, Refusal> {
        check_use(&object, purpose, self.now())?;
        if purpose.protects() {
            self.count_use(&object, data_bytes)?;
        }
        self.opened(object)
    }

    fn use_uncounted(&mut self, object: Arc<Object>, purpose: Purpose) -> Result<InUse, Refusal> {
        check_use(&object, purpose, self.now())?;
        self.opened(object)
    }

    fn opened(&self, object: Arc<Object>) -> Result<InUse, Refusal> {
        if object.first(StandardAttribute::KeyValuePresent) == Some(&Value::Boolean(false)) {
            let message = format!("the server knows of {}, and does not hold its Key Value", object.id);
            return Err(Refusal::new(ResultReason::KeyValueNotPresent, message));
        }
        let material = self.open(&object)?;
        Ok(InUse { object, material })
    }

    /// "the server SHALL obtain an allocation from the current Usage Limits value prior to performing" it.
    fn count_use(&mut self, object: &Object, data_bytes: usize) -> Result<(), Refusal> {
        let Some(limits) = usage_limits::of(object) else { return Ok(()) };
        let used = match limits.unit {
            UsageLimitsUnit::Byte => i64::try_from(data_bytes).unwrap_or(i64::MAX),
            UsageLimitsUnit::Object | UsageLimitsUnit::Unknown(_) => 1,
        };
        self.allocate(object, limits, used)
    }
}

fn check_use(object: &Object, purpose: Purpose, now: i64) -> Result<(), Refusal> {
    let id = object.id;
    if matches!(object.object_type, ObjectType::Template | ObjectType::OpaqueObject | ObjectType::SplitKey) {
        return Err(Refusal::permission_denied(format!("{id} is a {}, and no key", object.object_type)));
    }
    check_active(object, now)?;
    if purpose.protects() {
        check_not_stopped(object, now)?;
    }
    let started = object.date(StandardAttribute::ProcessStartDate).is_none_or(|date| date <= now);
    if !purpose.protects() && !started {
        return Err(Refusal::permission_denied(format!("the Process Start Date of {id} has not come")));
    }
    let allowed = object.integer(StandardAttribute::CryptographicUsageMask).unwrap_or(0);
    let allowed = CryptographicUsageMask::from_bits(allowed);
    match purpose.masks() {
        masks if masks.iter().any(|mask| allowed.contains(*mask)) => Ok(()),
        [needed, ..] => Err(Refusal::permission_denied(format!(
            "the Cryptographic Usage Mask of {id} does not allow {needed}"
        ))),
        [] => Err(Refusal::permission_denied(format!("{id} is not used so"))),
    }
}

fn check_active(object: &Object, now: i64) -> Result<(), Refusal> {
    let state = object.state_at(now);
    if state == State::Active {
        return Ok(());
    }
    Err(Refusal::permission_denied(format!("{} is {state}; only an Active key is used", object.id)))
}

fn check_not_stopped(object: &Object, now: i64) -> Result<(), Refusal> {
    if object.date(StandardAttribute::ProtectStopDate).is_none_or(|date| date > now) {
        return Ok(());
    }
    Err(Refusal::permission_denied(format!("the Protect Stop Date of {} has come", object.id)))
}

/// The uses of a key that apply protection.
const PROTECTING: [CryptographicUsageMask; 9] = [
    CryptographicUsageMask::SIGN,
    CryptographicUsageMask::ENCRYPT,
    CryptographicUsageMask::WRAP_KEY,
    CryptographicUsageMask::MAC_GENERATE,
    CryptographicUsageMask::CONTENT_COMMITMENT,
    CryptographicUsageMask::CERTIFICATE_SIGN,
    CryptographicUsageMask::CRL_SIGN,
    CryptographicUsageMask::GENERATE_CRYPTOGRAM,
    CryptographicUsageMask::TRANSLATE_ENCRYPT,
];

/// Whether an object is a key that can apply protection, now or at another time.
///
/// Fails with Illegal Operation (KMIP 1.4 section 11.19).
pub(crate) fn check_can_protect(object: &Object) -> Result<(), Refusal> {
    let keys = [ObjectType::SymmetricKey, ObjectType::PublicKey, ObjectType::PrivateKey];
    let mask = object.integer(StandardAttribute::CryptographicUsageMask).unwrap_or(0);
    let mask = CryptographicUsageMask::from_bits(mask);
    if keys.contains(&object.object_type) && PROTECTING.into_iter().any(|bit| mask.contains(bit)) {
        return Ok(());
    }
    Err(Refusal::illegal_operation(format!("{} is not used for applying protection", object.id)))
}

/// "After the Activation Date and before the Protect Stop Date" (KMIP 1.4 section 4.18).
pub(crate) fn check_protects_now(object: &Object, now: i64) -> Result<(), Refusal> {
    check_active(object, now)?;
    check_not_stopped(object, now)
}

impl InUse {
    /// The parameters of this use: the request's, or the key's own first ones (KMIP 1.4 section 4.29).
    pub(crate) fn parameters(&self, asked: Option<&Value>) -> Result<CryptographicParameters, Refusal> {
        let value = asked.or_else(|| self.object.first(StandardAttribute::CryptographicParameters));
        value.map_or_else(|| Ok(CryptographicParameters::default()), read_parameters)
    }

    /// The algorithm: the parameters' own, or the key's.
    pub(crate) fn algorithm(&self, parameters: &CryptographicParameters) -> Option<CryptographicAlgorithm> {
        let of_key = || self.object.enumeration(StandardAttribute::CryptographicAlgorithm);
        parameters.cryptographic_algorithm.or_else(|| of_key().map(CryptographicAlgorithm::from_number))
    }

    /// Refuses a key that is kept as it came, wrapped, also where its bytes stand as those of a plain one would.
    fn check_unwrapped(&self) -> Result<(), Refusal> {
        if !wrapping::is_wrapped(&self.material) {
            return Ok(());
        }
        Err(Refusal::permission_denied(format!(
            "{} is kept wrapped, so it is not used here; hint: Get it as Not Wrapped, or Import it so",
            self.object.id
        )))
    }

    /// The bytes of a symmetric key, or of a secret.
    pub(crate) fn symmetric(&self) -> Result<Secret, Refusal> {
        let id = self.object.id;
        self.check_unwrapped()?;
        match &self.material {
            ManagedObject::SymmetricKey(block) | ManagedObject::SecretData { key_block: block, .. } => {
                match &block.key_value {
                    Some(KeyValue::Plain { material: KeyMaterial::Bytes(bytes), .. }) => Ok(bytes.clone()),
                    Some(KeyValue::Plain { material: KeyMaterial::Structure(value), .. }) => {
                        let key = value.danger_value().children().iter().find(|node| node.tag == tag::KEY);
                        match key.map(|node| &node.value) {
                            Some(Value::ByteString(bytes)) => Ok(Secret::from(bytes.as_slice())),
                            _ => Err(form(block.key_format_type)),
                        }
                    }
                    Some(KeyValue::Wrapped(_)) | None => Err(form(block.key_format_type)),
                }
            }
            _ => Err(Refusal::permission_denied(format!("{id} is a {}", self.object.object_type))),
        }
    }

    /// One half of a pair, or the key of a certificate, as its DER; one that is kept as its numbers is written so.
    pub(crate) fn asymmetric(&self, cryptography: &dyn Cryptography) -> Result<Der, Refusal> {
        self.check_unwrapped()?;
        if let Some(der) = key_format::der(&self.material, cryptography)? {
            return Ok(der);
        }
        match &self.material {
            ManagedObject::PrivateKey(block) | ManagedObject::PublicKey(block) => {
                Err(form(block.key_format_type))
            }
            _ => Err(Refusal::permission_denied(format!(
                "{} is a {}",
                self.object.id, self.object.object_type
            ))),
        }
    }
}

/// Reads Cryptographic Parameters.
pub(crate) fn read_parameters(value: &Value) -> Result<CryptographicParameters, Refusal> {
    CryptographicParameters::from_value(value)
        .ok_or_else(|| Refusal::invalid_field("the Cryptographic Parameters hold a field of another type"))
}

fn form(key_format_type: KeyFormatType) -> Refusal {
    Refusal::new(
        ResultReason::KeyFormatTypeNotSupported,
        format!("a key kept as {key_format_type} cannot be used here yet"),
    )
}

impl From<CryptographyError> for Refusal {
    fn from(error: CryptographyError) -> Self {
        match error {
            CryptographyError::Unsupported(why) => Self::new(ResultReason::FeatureNotSupported, why),
            CryptographyError::Failed(why) => Self::new(ResultReason::CryptographicFailure, why),
            CryptographyError::Later => {
                Self::general_failure("this is still being computed; hint: ask again")
            }
        }
    }
}
