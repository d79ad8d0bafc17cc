"""Changes of the tree of unions 工会撤并: one administrator requests, another one confirms, and it is carried out."""
