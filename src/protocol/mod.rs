//! The Maelstrom protocol and the dialects of sibling stores: messages as JSON lines.

mod conformance;
mod dialect;
mod difference;
mod error_code;
mod message;
mod samples;

pub use conformance::{Case, CaseError};
pub use dialect::{ClientRequest, Dialect, UnknownDialect};
pub use difference::{Compared, Difference, Field};
pub use error_code::ErrorCode;
pub use message::{Envelope, Malformed, parse_line};
pub use samples::{SAMPLES, Sample, samples_of};

pub(crate) use dialect::{dvv_siblings, dvv_written, object, vc_siblings, vc_written};
pub(crate) use message::error_body;
