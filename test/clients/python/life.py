"""The life of a backup, with the generated client: create, recover on a new device, join, sync."""

import base64
import os
import sys

from backup_client import ApiClient, BackupsApi, ChallengesApi, Configuration, FactorsApi
from backup_client.exceptions import ApiException
from backup_client.models import (
    AddSyncFactorRequest,
    Authorization,
    CreateRequest,
    EcKeypairAuthorization,
    EncryptionKey,
    IcloudEncryptionKey,
    RecoverRequest,
    SyncRequest,
)
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Keypair:
    def __init__(self):
        self._private = ec.generate_private_key(ec.SECP256R1())
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = base64.b64encode(point).decode()

    def authorize(self, challenge):
        signature = self._private.sign(base64.b64decode(challenge), ec.ECDSA(SHA256()))
        return EcKeypairAuthorization(
            kind="EC_KEYPAIR",
            public_key=self.public_key,
            signature=base64.b64encode(signature).decode(),
        )


client = ApiClient(Configuration(host=sys.argv[1]))
backups, challenges, factors = BackupsApi(client), ChallengesApi(client), FactorsApi(client)
main, phone, tablet = Keypair(), Keypair(), Keypair()
account_id = "backup_account_02" + os.urandom(32).hex()
first, second = "11" * 32, "22" * 32

for_main = challenges.create_keypair_challenge({})
for_phone = challenges.create_keypair_challenge({})
created = backups.create(
    payload=CreateRequest(
        authorization=Authorization(main.authorize(for_main.challenge)),
        challenge_token=for_main.token,
        initial_encryption_key=EncryptionKey(IcloudEncryptionKey(kind="ICLOUD", encrypted_key="a2V5")),
        initial_sync_factor=phone.authorize(for_phone.challenge),
        initial_sync_challenge_token=for_phone.token,
        manifest_hash=first,
        backup_account_id=account_id,
    ),
    backup=("backup.bin", b"first"),
)
assert created.backup_id == account_id

for_recovery = challenges.recover_keypair_challenge({})
recovered = backups.recover(
    RecoverRequest(
        authorization=Authorization(main.authorize(for_recovery.challenge)),
        challenge_token=for_recovery.token,
    )
)
assert base64.b64decode(recovered.backup) == b"first"
assert recovered.metadata.factors[0].kind.actual_instance.kind == "EC_KEYPAIR"

for_tablet = challenges.add_sync_factor_keypair_challenge({})
joined = factors.add_sync_factor(
    AddSyncFactorRequest(
        challenge_token=for_tablet.token,
        sync_factor=tablet.authorize(for_tablet.challenge),
        sync_factor_token=recovered.sync_factor_token,
    )
)
assert joined.backup_id == account_id


def sync():
    challenge = challenges.sync_keypair_challenge({})
    request = SyncRequest(
        authorization=tablet.authorize(challenge.challenge),
        challenge_token=challenge.token,
        current_manifest_hash=first,
        new_manifest_hash=second,
    )
    return backups.sync(payload=request, backup=("backup.bin", b"second"))


assert sync().backup_id == account_id

try:
    sync()
    raise AssertionError("a sync from another state was accepted")
except ApiException as error:
    assert (error.status, error.data.error.code) == (412, "manifest_hash_mismatch"), error

print("ok")
