"""How a stack is, on one screen: facts are gathered, then judged, then shown."""
