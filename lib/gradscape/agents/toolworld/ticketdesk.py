"""A ticket desk with the names, arguments and results of BFCL's ``TicketAPI`` (see `filesystem`)."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Ticket = dict[str, Any]
Answer = dict[str, Any]
STATES = ("Open", "Closed", "Resolved")


class TicketDesk:
    """Tickets in order of creation, the number of the next one, and the user who is logged in.

    ``tickets``: dictionaries with id, title, description, status, priority and created_by; they are copied.
    A ticket belongs to whoever is logged in when it is created, and nothing deletes it: a ticket made under another
    user's name is a silent and irreversible mistake.
    """

    __slots__ = ("next_id", "tickets", "user")

    def __init__(self, tickets: Iterable[Ticket] = (), user: str | None = None, next_id: int | None = None) -> None:
        self.tickets = [dict(ticket) for ticket in tickets]
        for ticket in self.tickets:
            missing = {"id", "title", "status", "created_by"} - set(ticket)
            if missing:
                raise ValueError(f"ticket={ticket!r}: lacks {', '.join(sorted(missing))}")
        self.user = user
        self.next_id = 1 + max((int(t["id"]) for t in self.tickets), default=0) if next_id is None else next_id

    def clone(self) -> TicketDesk:
        """An independent copy."""
        twin = object.__new__(TicketDesk)
        twin.tickets = [dict(ticket) for ticket in self.tickets]
        twin.user, twin.next_id = self.user, self.next_id
        return twin

    def lookup(self, ticket_id: int) -> Ticket | None:
        """The ticket itself, not a copy; None if there is none."""
        return next((ticket for ticket in self.tickets if ticket["id"] == ticket_id), None)

    def ticket_login(self, username: str, password: str) -> Answer:
        """Log in; whoever was logged in before is not any more. Any password that is not empty will do."""
        if not (username and password):
            return {"success": False}
        self.user = username
        return {"success": True}

    def logout(self) -> Answer:
        """Log out; no success when nobody was logged in."""
        someone, self.user = bool(self.user), None
        return {"success": someone}

    def ticket_get_login_status(self) -> Answer:
        """Whether anybody is logged in; not who."""
        return {"login_status": bool(self.user)}

    def create_ticket(self, title: str, description: str = "", priority: int = 1) -> Answer:
        """Make a ticket in the name of the current user and answer with a copy of it."""
        if not self.user:
            return {"error": "User not authenticated. Please log in to create a ticket."}
        if not 1 <= priority <= 5:
            return {"error": "Invalid priority. Priority must be between 1 and 5."}
        ticket = {
            "id": self.next_id, "title": title, "description": description, "status": "Open", "priority": priority,
            "created_by": self.user,
        }
        self.tickets.append(ticket)
        self.next_id += 1
        return dict(ticket)

    def get_ticket(self, ticket_id: int) -> Answer:
        """A copy of a ticket, whoever is logged in."""
        ticket = self.lookup(ticket_id)
        return {"error": f"Ticket with ID {ticket_id} not found."} if ticket is None else dict(ticket)

    def close_ticket(self, ticket_id: int) -> Answer:
        """Close a ticket that is not closed; no login needed."""
        ticket = self.lookup(ticket_id)
        if ticket is None:
            return {"error": f"Ticket with ID {ticket_id} not found."}
        if ticket["status"] == "Closed":
            return {"error": f"Ticket with ID {ticket_id} is already closed."}
        ticket["status"] = "Closed"
        return {"status": f"Ticket {ticket_id} has been closed successfully."}

    def resolve_ticket(self, ticket_id: int, resolution: str) -> Answer:
        """Resolve a ticket that is not resolved; no login needed."""
        ticket = self.lookup(ticket_id)
        if ticket is None:
            return {"error": f"Ticket with ID {ticket_id} not found."}
        if ticket["status"] == "Resolved":
            return {"error": f"Ticket with ID {ticket_id} is already resolved."}
        ticket["status"], ticket["resolution"] = "Resolved", resolution
        return {"status": f"Ticket {ticket_id} has been resolved successfully."}

    def get_user_tickets(self, status: str | None = None) -> list[Answer]:
        """Copies of the current user's tickets, all or those of one status (letter case does not count)."""
        if not self.user:
            return [{"error": "User not authenticated. Please log in to view tickets."}]
        return [
            dict(ticket) for ticket in self.tickets
            if ticket["created_by"] == self.user and (not status or ticket["status"].lower() == status.lower())
        ]
