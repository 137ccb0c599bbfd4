"""Which credentials a request carries: those in URLs, else those that netrc or the keyring has; to one origin each."""

from threading import Lock
from urllib.parse import urlsplit

from buildlock.errors import UnavailableError
from buildlock.index.netrc_file import Netrc
from buildlock.index.urls import Address, encode_basic
from buildlock.project.model import Authentication
from buildlock.project.network import Network
from buildlock.reporting import Reporter, Warned
from buildlock.values import dataclass, replace

HINT = (
    "credentials may be in the URL of the index (`https://user:password@…`), in `UV_INDEX_<NAME>_USERNAME` and"
    " `UV_INDEX_<NAME>_PASSWORD`, in netrc, or in a keyring (`keyring-provider`)"
)

_UNAUTHORIZED = 401
# Some servers say so to whoever is not known to them, to hide what they have.
_REFUSED = frozenset({_UNAUTHORIZED, 403, 404})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A place that the user has named."""

    address: Address
    authenticate: Authentication


class Credentials:
    """Safe to share among threads. Passwords are looked for once, and only where a server wants one.

    What netrc says of a host is for its `https:` servers, and for those places that the user has named; what it says of
    all hosts, and what the keyring says, for these places alone.

    Args:
        network: Says where passwords may be looked for.
        report: Told what is wrong there.
    """

    def __init__(self, network: Network, report: Reporter) -> None:
        self._report = report
        self._netrc = Netrc(network.netrc, report)
        self._keyring = bool(network.keyring)
        self._lock = Lock()
        self._searching = Lock()
        self._places: list[_Place] = []
        self._known: list[Address] = []
        self._found: dict[tuple[str, str | None, bool], str | None] = {}

    def name(self, address: Address, authenticate: Authentication) -> None:
        """Note a place that the user has named."""
        with self._lock:
            self._places.append(_Place(address=address, authenticate=authenticate))

    def remember(self, address: Address) -> None:
        """Use the credentials of `address`, if it has any, whenever its origin is asked."""
        if not address.authorization or self._find_policy(address) == "never":
            return
        with self._lock:
            if address not in self._known:
                self._known.append(address)

    def authorize(self, address: Address) -> Address:
        """`address` with the credentials known for its origin: of several, those of the nearest path."""
        if self._find_policy(address) == "never":
            return replace(address, authorization=None, username=None)
        if address.authorization:
            return address
        with self._lock:
            known = [owner for owner in self._known if owner.origin == address.origin]
        if not known:
            return address
        nearest = max(known, key=lambda owner: _shared_segments(owner.path, address.path))
        return replace(address, authorization=nearest.authorization, username=nearest.username)

    def complete(self, address: Address) -> Address:
        """`address` with credentials, where it is clear before it is asked that it needs them.

        Raises:
            UnavailableError: It is never to be asked without, and there are none.
        """
        address = self.authorize(address)
        always = self._find_policy(address) == "always"
        wanting = address.username is not None or (always and not address.authorization)
        if wanting and (found := self._search(address, address.username, keyring=True)):
            return replace(address, authorization=found, username=None)
        if always and not address.authorization:
            raise UnavailableError(
                f'`{address.url}` was not asked: its index has `authenticate = "always"`, and there are no credentials',
                hint=HINT,
            )
        return address

    def answer(self, address: Address, status: int) -> Address | None:
        """`address` with credentials, where a server has refused it without; `None` where there is nothing more."""
        if status not in _REFUSED or address.authorization or self._find_policy(address) == "never":
            return None
        found = self._search(address, None, keyring=status == _UNAUTHORIZED)
        return replace(address, authorization=found) if found else None

    def _find_policy(self, address: Address) -> Authentication:
        place = self._find_place(address)
        return "auto" if place is None else place.authenticate

    def _find_place(self, address: Address) -> _Place | None:
        """The nearest of the places of its origin; of two as near, rather one that takes credentials."""
        with self._lock:
            places = [place for place in self._places if place.address.origin == address.origin]
        if len(places) < 2:  # noqa: PLR2004 - nothing to compare
            return places[0] if places else None
        return max(
            places,
            key=lambda place: (_shared_segments(place.address.path, address.path), place.authenticate != "never"),
        )

    def _search(self, address: Address, username: str | None, *, keyring: bool) -> str | None:
        """Look for a password, once; what is found without a name to go by is remembered for its place."""
        place = self._find_place(address)
        owner = place.address if place is not None else replace(address, path="/")
        key = owner.url if place is not None else owner.origin, username, keyring
        with self._searching:
            if key not in self._found:
                login = self._look_up(address, place, username, keyring=keyring)
                self._found[key] = encode_basic(*login) if login is not None else None
                if username is None:
                    self.remember(replace(owner, authorization=self._found[key], username=None))
            return self._found[key]

    def _look_up(
        self, address: Address, place: _Place | None, username: str | None, *, keyring: bool
    ) -> tuple[str, str] | None:
        parts = urlsplit(address.url)
        assert parts.hostname is not None
        if (place is not None or address.scheme == "https") and (
            login := self._netrc.find(parts.hostname, username, default=place is not None)
        ):
            return login
        if place is None or not (self._keyring and keyring):
            return None
        from buildlock.index.keyring import UnusableKeyringError, ask_keyring  # noqa: PLC0415 - few have it asked

        services = place.address.url, parts.netloc
        try:
            return next((login for each in services if (login := ask_keyring(each, username, self._report))), None)
        except UnusableKeyringError as error:
            self._keyring = False
            self._report(Warned(f"passwords are not looked for in the keyring, by the command `keyring`: {error}"))
            return None


def _shared_segments(path: str, other: str) -> int:
    """How many leading segments two paths share."""
    count = 0
    for mine, theirs in zip(path.split("/"), other.split("/"), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
