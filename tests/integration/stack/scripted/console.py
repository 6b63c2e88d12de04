from __future__ import annotations

from scripted_service import main

main("console")
