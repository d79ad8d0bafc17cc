"""The control: two services as in Nameko's tutorials, under the same faults and the same verification."""
