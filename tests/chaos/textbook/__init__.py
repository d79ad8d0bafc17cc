"""The control: two services as Nameko's tutorials write them, hurt by the same faults and held by the same account."""
