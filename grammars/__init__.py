"""The grammar of `.rnn` texts as data: `rnn.lark` is its only copy."""
