"""A widget that still listens when its page was slow to start.

anywidget 0.11 gives a model two seconds to load its code. On a busy machine plotly alone takes longer, and a model that
missed them is drawn but deaf: every message to it waits for a promise that was rejected. ``reliable(model)`` in a
widget's ``render`` puts the handler of ipywidgets itself in place of the one that waits. What arrived before is lost:
ask Python for the present state afterwards.
"""
from __future__ import annotations

import uuid

import anywidget
import traitlets

RELIABLE = """
async function reliable(model) {
  const real = await model.widget_manager.get_model(model.get("_address"));
  let proto = Object.getPrototypeOf(real);
  while (proto && !Object.hasOwn(proto, "_handle_comm_msg")) proto = Object.getPrototypeOf(proto);
  const above = proto && Object.getPrototypeOf(proto)._handle_comm_msg; // undefined once anywidget no longer waits
  if (above && real.comm) real.comm.on_msg((message) => above.call(real, message));
}
"""


class Reliable(anywidget.AnyWidget):
    """Base of our widgets: knows its own model id, which ``reliable(model)`` needs to find the model."""

    _address = traitlets.Unicode().tag(sync=True)

    def open(self) -> None:
        """Open the connection under an id that is part of the state."""
        if self.comm is None:
            self._model_id = self._address = uuid.uuid4().hex
        super().open()
