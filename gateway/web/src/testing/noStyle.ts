// Replaces the styles of Element Plus, which Node cannot load.
export {};
