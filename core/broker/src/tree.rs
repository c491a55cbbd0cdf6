//! Who has subscribed to a topic?
