//! The Maelstrom protocol: messages as JSON lines, and what requests and answers are made of.

mod conformance;
mod difference;
mod error_code;
mod maelstrom;
mod message;
mod template;

pub use conformance::{Case, CaseError};
pub use difference::{Compared, Difference, Field};
pub use error_code::ErrorCode;
pub use maelstrom::{SERVICES, Workload, WorkloadProbe, workload_probes};
pub use message::{Envelope, Malformed, parse_line};
pub use template::{Pointer, StatusWords, Template};

pub(crate) use message::{error_body, object};
pub(crate) use template::{Filling, Placeholder, is_one_of, kind, there};
