//! Payloads that many operations have alike, so that each is written once: a request that names one object, a response that
//! names one, and one that names a new object with what the server set of its own accord.

/// A request that names an object and nothing else. Takes where the specification has it.
macro_rules! names_an_object {
    ($table:literal) => {
        #[doc = $table]
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Request {
            /// The object; the ID Placeholder where absent.
            pub unique_identifier: Option<String>,
        }

        impl $crate::operations::Payload for Request {
            fn read(reader: &mut ttlv::Reader<'_>, _: $crate::ProtocolVersion) -> Result<Self, ttlv::Error> {
                Ok(Self { unique_identifier: $crate::operations::optional_id(reader)? })
            }

            fn write(&self, writer: &mut ttlv::Writer<'_>, _: $crate::ProtocolVersion) {
                $crate::operations::write_id(writer, self.unique_identifier.as_deref());
            }

            fn unique_identifier(&self) -> Option<&str> {
                self.unique_identifier.as_deref()
            }
        }
    };
}

/// A response that names the object and says nothing else. Takes where the specification has it, and which object it is.
macro_rules! names_the_object {
    ($table:literal, $object:literal) => {
        #[doc = $table]
        #[derive(Clone, Debug, PartialEq)]
        pub struct Response {
            #[doc = $object]
            pub unique_identifier: String,
        }

        impl $crate::operations::Payload for Response {
            fn read(reader: &mut ttlv::Reader<'_>, _: $crate::ProtocolVersion) -> Result<Self, ttlv::Error> {
                Ok(Self { unique_identifier: $crate::operations::required_id(reader)? })
            }

            fn write(&self, writer: &mut ttlv::Writer<'_>, _: $crate::ProtocolVersion) {
                $crate::operations::write_id(writer, Some(&self.unique_identifier));
            }

            fn unique_identifier(&self) -> Option<&str> {
                Some(&self.unique_identifier)
            }
        }
    };
}

/// A response that names a new object. Takes where the specification has it, and which object it is.
macro_rules! names_a_new_object {
    ($table:literal, $object:literal) => {
        #[doc = $table]
        #[derive(Clone, Debug, PartialEq)]
        pub struct Response {
            #[doc = $object]
            pub unique_identifier: String,
            /// Attributes that the server set of its own accord.
            pub template_attribute: Option<$crate::TemplateAttribute>,
        }

        impl $crate::operations::Payload for Response {
            fn read(reader: &mut ttlv::Reader<'_>, _: $crate::ProtocolVersion) -> Result<Self, ttlv::Error> {
                Ok(Self {
                    unique_identifier: $crate::operations::required_id(reader)?,
                    template_attribute: $crate::operations::optional_template(reader)?,
                })
            }

            fn write(&self, writer: &mut ttlv::Writer<'_>, version: $crate::ProtocolVersion) {
                $crate::operations::write_id(writer, Some(&self.unique_identifier));
                $crate::operations::write_template(writer, self.template_attribute.as_ref(), version);
            }

            fn unique_identifier(&self) -> Option<&str> {
                Some(&self.unique_identifier)
            }
        }
    };
}

pub(super) use {names_a_new_object, names_an_object, names_the_object};
