"""Twilio for WhatsApp: the REST API, the webhooks, and the people who write to the business."""

from sandbox.twilio.server import TwilioServer
from sandbox.twilio.user import NotConnected, WhatsAppUser
from sandbox.twilio.webhooks import Signature, WebhookAnswer

__all__ = ["NotConnected", "Signature", "TwilioServer", "WebhookAnswer", "WhatsAppUser"]
