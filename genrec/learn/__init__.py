"""Behaviour → training examples → a LoRA adapter → a gate → what ranks next."""
