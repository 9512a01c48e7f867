//! The public KMIP test cases against a real server. Nothing here but its tests: `kms conform` does the work.
