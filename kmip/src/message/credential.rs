//! Who the client says it is, beside its certificate (KMIP 1.4 sections 2.1.2 and 6.6).

use ttlv::{Error, Item, Value, Writer};
use zeroize::Zeroize;

use crate::absent::optional_text;
use crate::enumeration::CredentialType;
use crate::{Secret, tag};

/// KMIP 1.4 section 2.1.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What kind it is.
    pub credential_type: CredentialType,
    /// What it says.
    pub value: CredentialValue,
}

/// The inside of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's own names")]
pub enum CredentialValue {
    /// KMIP 1.4 table 4.
    UsernameAndPassword { username: String, password: Option<Secret> },
    /// KMIP 1.4 table 5; since 1.1.
    Device {
        device_serial_number: Option<String>,
        password: Option<Secret>,
        device_identifier: Option<String>,
        network_identifier: Option<String>,
        machine_identifier: Option<String>,
        media_identifier: Option<String>,
    },
    /// Attestation (since 1.2) and any other kind, as it was sent.
    Other(OtherCredential),
}

/// A credential of a kind that has no type here; wiped on drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherCredential(Value);

impl Drop for OtherCredential {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Credential {
    /// Reads a Credential structure.
    pub fn read(item: &Item<'_>) -> Result<Self, Error> {
        let mut reader = item.structure()?;
        let credential_type =
            CredentialType::from_number(reader.required(tag::CREDENTIAL_TYPE)?.enumeration()?);
        let item = reader.required(tag::CREDENTIAL_VALUE)?;
        let value = match credential_type {
            CredentialType::UsernameAndPassword => {
                let mut fields = item.structure()?;
                let value = CredentialValue::UsernameAndPassword {
                    username: fields.required(tag::USERNAME)?.text_string()?.to_owned(),
                    password: optional_text(&mut fields, tag::PASSWORD)?.map(secret),
                };
                fields.finish()?;
                value
            }
            CredentialType::Device => {
                let mut fields = item.structure()?;
                let value = CredentialValue::Device {
                    device_serial_number: optional_text(&mut fields, tag::DEVICE_SERIAL_NUMBER)?,
                    password: optional_text(&mut fields, tag::PASSWORD)?.map(secret),
                    device_identifier: optional_text(&mut fields, tag::DEVICE_IDENTIFIER)?,
                    network_identifier: optional_text(&mut fields, tag::NETWORK_IDENTIFIER)?,
                    machine_identifier: optional_text(&mut fields, tag::MACHINE_IDENTIFIER)?,
                    media_identifier: optional_text(&mut fields, tag::MEDIA_IDENTIFIER)?,
                };
                fields.finish()?;
                value
            }
            CredentialType::Attestation | CredentialType::Unknown(_) => {
                CredentialValue::Other(OtherCredential(Value::read(&item)?))
            }
        };
        reader.finish()?;
        Ok(Self { credential_type, value })
    }

    /// Appends a Credential structure.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.structure(tag::CREDENTIAL, |writer| {
            writer.enumeration(tag::CREDENTIAL_TYPE, self.credential_type.number());
            match &self.value {
                CredentialValue::UsernameAndPassword { username, password } => {
                    writer.structure(tag::CREDENTIAL_VALUE, |writer| {
                        writer.text_string(tag::USERNAME, username);
                        write_password(writer, password.as_ref());
                    });
                }
                CredentialValue::Device {
                    device_serial_number,
                    password,
                    device_identifier,
                    network_identifier,
                    machine_identifier,
                    media_identifier,
                } => writer.structure(tag::CREDENTIAL_VALUE, |writer| {
                    let field = |writer: &mut Writer<'_>, tag, text: &Option<String>| {
                        if let Some(text) = text {
                            writer.text_string(tag, text);
                        }
                    };
                    field(writer, tag::DEVICE_SERIAL_NUMBER, device_serial_number);
                    write_password(writer, password.as_ref());
                    field(writer, tag::DEVICE_IDENTIFIER, device_identifier);
                    field(writer, tag::NETWORK_IDENTIFIER, network_identifier);
                    field(writer, tag::MACHINE_IDENTIFIER, machine_identifier);
                    field(writer, tag::MEDIA_IDENTIFIER, media_identifier);
                }),
                CredentialValue::Other(other) => other.0.write(tag::CREDENTIAL_VALUE, writer),
            }
        });
    }
}

fn secret(text: String) -> Secret {
    Secret::new(text.into_bytes())
}

fn write_password(writer: &mut Writer<'_>, password: Option<&Secret>) {
    // It came from a Text String, or from our own client's command line, so it is UTF-8.
    if let Some(text) = password.and_then(|secret| str::from_utf8(secret.danger_bytes()).ok()) {
        writer.text_string(tag::PASSWORD, text);
    }
}
