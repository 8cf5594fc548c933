"""Cameras that speak ONVIF: who answers on the network, and which streams each of them has."""
