"""Files for branches that take no messages: batches and recalls out, results in."""
