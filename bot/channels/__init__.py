"""The channels a traveller may write on, all speaking ``Inbound`` and ``Outbound`` (``model.py``)."""
