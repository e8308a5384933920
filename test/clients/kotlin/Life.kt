/** The life of a backup, with the generated client: create, recover on a new device, join, sync. */
import backup.client.apis.BackupsApi
import backup.client.apis.ChallengesApi
import backup.client.apis.FactorsApi
import backup.client.infrastructure.ApiClient
import backup.client.infrastructure.Serializer
import backup.client.models.*
import java.security.KeyPairGenerator
import java.security.SecureRandom
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.util.Base64
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.MultipartBody
import okhttp3.RequestBody.Companion.toRequestBody
import retrofit2.Response

class Keypair {
    private val pair = KeyPairGenerator.getInstance("EC").apply { initialize(ECGenParameterSpec("secp256r1")) }.generateKeyPair()
    val publicKey: String = (pair.public as ECPublicKey).w.let {
        Base64.getEncoder().encodeToString(byteArrayOf(4) + it.affineX.toBytes() + it.affineY.toBytes())
    }

    fun authorize(challenge: String): EcKeypairAuthorization {
        val signature = Signature.getInstance("SHA256withECDSA").apply {
            initSign(pair.private)
            update(Base64.getDecoder().decode(challenge))
        }.sign()
        return EcKeypairAuthorization(
            kind = EcKeypairAuthorization.Kind.EC_KEYPAIR,
            publicKey = publicKey,
            signature = Base64.getEncoder().encodeToString(signature),
        )
    }

    private fun java.math.BigInteger.toBytes() = toByteArray().let { bytes ->
        ByteArray(32) { index -> bytes.getOrElse(bytes.size - 32 + index) { 0 } }
    }
}

fun ciphertext(text: String) = MultipartBody.Part.createFormData(
    "backup", "backup.bin", text.toByteArray().toRequestBody("application/octet-stream".toMediaType()),
)

fun <T> Response<T>.ok(): T = body() ?: throw IllegalStateException("${code()} ${errorBody()?.string()}")

fun equal(actual: Any?, expected: Any?) = check(actual == expected) { "$actual is not $expected" }

fun main(arguments: Array<String>) = runBlocking {
    val client = ApiClient(baseUrl = "${arguments[0]}/")
    val backups = client.createService(BackupsApi::class.java)
    val challenges = client.createService(ChallengesApi::class.java)
    val factors = client.createService(FactorsApi::class.java)
    val main = Keypair()
    val phone = Keypair()
    val accountId = "backup_account_02" + ByteArray(32).also(SecureRandom()::nextBytes).joinToString("") { "%02x".format(it) }
    val first = "11".repeat(32)
    val second = "22".repeat(32)

    val forMain = challenges.createKeypairChallenge(emptyMap()).ok()
    val forPhone = challenges.createKeypairChallenge(emptyMap()).ok()
    val created = backups.create(
        CreateRequest(
            authorization = Authorization.EcKeypairWrapper(main.authorize(forMain.challenge)),
            challengeToken = forMain.token,
            initialEncryptionKey = EncryptionKey.IcloudWrapper(
                IcloudEncryptionKey(kind = IcloudEncryptionKey.Kind.ICLOUD, encryptedKey = "a2V5"),
            ),
            initialSyncFactor = phone.authorize(forPhone.challenge),
            initialSyncChallengeToken = forPhone.token,
            manifestHash = first,
            backupAccountId = accountId,
        ),
        ciphertext("first"),
    ).ok()
    equal(created.backupId, accountId)

    val forRecovery = challenges.recoverKeypairChallenge(emptyMap()).ok()
    val proof = Authorization.EcKeypairWrapper(main.authorize(forRecovery.challenge))
    val recovered = backups.recover(RecoverRequest(authorization = proof, challengeToken = forRecovery.token)).ok()
    equal(String(Base64.getDecoder().decode(recovered.backup)), "first")
    equal(recovered.metadata.factors.single().kind is ExportedFactorKind.EcKeypairWrapper, true)

    val tablet = Keypair()
    val forTablet = challenges.addSyncFactorKeypairChallenge(emptyMap()).ok()
    val joined = factors.addSyncFactor(
        AddSyncFactorRequest(
            challengeToken = forTablet.token,
            syncFactor = tablet.authorize(forTablet.challenge),
            syncFactorToken = recovered.syncFactorToken,
        ),
    ).ok()
    equal(joined.backupId, accountId)

    suspend fun sync(current: String, next: String): Response<BackupIdResponse> {
        val challenge = challenges.syncKeypairChallenge(emptyMap()).ok()
        val request = SyncRequest(
            authorization = tablet.authorize(challenge.challenge),
            challengeToken = challenge.token,
            currentManifestHash = current,
            newManifestHash = next,
        )
        return backups.sync(request, ciphertext("second"))
    }
    equal(sync(first, second).ok().backupId, accountId)

    val refused = sync(first, second)
    val error = Serializer.kotlinxSerializationJson.decodeFromString(ErrorBody.serializer(), refused.errorBody()!!.string())
    equal(refused.code() to error.error.code, 412 to "manifest_hash_mismatch")

    // what no keypair needs: a passkey's credential is any JSON, and unions keep their kind
    val passkey: Authorization = Authorization.PasskeyWrapper(
        PasskeyAuthorization(
            kind = PasskeyAuthorization.Kind.PASSKEY,
            credential = JsonObject(mapOf("id" to JsonPrimitive("AA"))),
        ),
    )
    val json = Serializer.kotlinxSerializationJson
    val text = json.encodeToString(Authorization.serializer(), passkey)
    equal(json.decodeFromString(Authorization.serializer(), text), passkey)
    equal(text.contains("\"credential\":{\"id\":\"AA\"}") && text.contains("\"kind\":\"PASSKEY\""), true)
    println("ok")
}
