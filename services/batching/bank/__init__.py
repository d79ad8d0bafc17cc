"""Messages with the bank: batches out, feedback in, receipts out."""
