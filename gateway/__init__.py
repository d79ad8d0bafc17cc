"""The HTTP gateway: who may ask what, and which service answers. It keeps nothing that lasts."""
