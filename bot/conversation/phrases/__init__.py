"""Every word Layover says in chat, by subject. Short, warm, exact; one thought a message."""
