//! The Maelstrom protocol and the dialects of sibling stores: messages as JSON lines.

mod conformance;
mod dialect;
mod error_code;
mod message;

pub use conformance::{Case, CaseError, Mismatch};
pub use dialect::{ClientRequest, Dialect, UnknownDialect};
pub use error_code::ErrorCode;
pub use message::{Envelope, Malformed, parse_line};

pub(crate) use dialect::{dvv_siblings, dvv_written, object, vc_siblings, vc_written};
pub(crate) use message::error_body;
