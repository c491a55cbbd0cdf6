//! Who may enter while no plugin decides? Everybody whom the configuration lets in without a name.

use async_trait::async_trait;
use hikyaku_traits::{Access, Auth, AuthRequest, Authentication, Authorization};
use hikyaku_types::ReasonCode;

/// The end of the chain for listeners that allow anonymous clients; whether they do is checked at start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

#[async_trait]
impl Auth for Anonymous {
    async fn authenticate(&self, request: &AuthRequest) -> Authentication {
        if request.method.is_some() {
            return Authentication::Deny(ReasonCode::BAD_AUTHENTICATION_METHOD); // [MQTT-4.12.0-1]
        }
        Authentication::Allow
    }

    async fn continue_auth(&self, _: &AuthRequest, _: &[u8]) -> Authentication {
        Authentication::Deny(ReasonCode::BAD_AUTHENTICATION_METHOD)
    }

    fn authorize(&self, _: &Access<'_>) -> Authorization {
        Authorization::Allow
    }

    async fn authorize_later(&self, _: &Access<'_>) -> Authorization {
        Authorization::Allow
    }
}
