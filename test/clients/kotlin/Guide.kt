/** Runs the Kotlin of the guide, each chapter in a package of its name, on the vectors that it is given. */
import android.app.Activity
import android.content.Context
import android.security.keystore.AndroidKeyStoreProvider
import androidx.credentials.*
import guide.accounts.nonce
import guide.app_attestation.requestHash
import guide.material_binding.boundChallenge
import guide.material_binding.fields
import guide.material_binding.material
import guide.passkeys.PasskeyProof
import guide.passkeys.createPasskey
import guide.passkeys.decryptBackupKey
import guide.passkeys.encryptBackupKey
import guide.passkeys.usePasskey
import guide.passkeys.wrappingKey
import guide.sign_a_challenge.makeFactor
import guide.sign_a_challenge.prove
import guide.sign_a_challenge.uncompressedPoint
import java.security.KeyFactory
import java.security.Security
import java.security.interfaces.ECPublicKey
import java.security.spec.X509EncodedKeySpec
import java.util.Base64
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.*
import org.json.JSONObject

fun main(arguments: Array<String>) = runBlocking {
    Security.addProvider(AndroidKeyStoreProvider())
    val given = Json.parseToJsonElement(arguments[0]).jsonObject
    println(
        buildJsonObject {
            put("nonces", given.made("publicKeys") { nonce(bytes(it.text)) })
            put("hashes", given.made("requests") { requestHash(it.text("path"), it.text("body")) })
            put("bound", given.made("additions", ::bound))
            put("points", given.made("spki") { encode(uncompressedPoint(publicKey(it.text))) })
            put("proofs", proofs(given.getValue("challenge").text))
            put("passkeys", passkeys(given.getValue("credential").toString()))
            put("wrapped", wrapped(given.getValue("wrapped")))
        },
    )
}

fun bound(addition: JsonElement): String {
    val factor = addition.member("newFactor").let {
        if (it.text("kind") == "OIDC_ACCOUNT") fields(2, it.text("idToken")) else fields(3, bytes(it.text("publicKey")))
    }
    val key = addition.jsonObject["encryptedBackupKey"]?.let {
        val turnkey = listOf("turnkeyAccountId", "turnkeyUserId", "turnkeyPrivateKeyId").map(it.jsonObject::get)
        if (it.text("kind") == "TURNKEY") fields(3, it.text("encryptedKey"), *turnkey.map { it!!.text }.toTypedArray())
        else fields(2, it.text("encryptedKey"))
    }
    val added = material(factor, addition.jsonObject["turnkeyProviderId"]?.text, key)
    return encode(boundChallenge(ByteArray(32) { it.toByte() }, added))
}

fun publicKey(spki: String) = KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(bytes(spki))) as ECPublicKey

/** By one key, so that a key which is kept is found again. */
fun proofs(challenge: String): JsonArray {
    makeFactor("phone")
    return buildJsonArray {
        repeat(20) {
            val (publicKey, signature, kind) = prove("phone", challenge)
            addJsonObject {
                put("kind", kind)
                put("publicKey", publicKey)
                put("signature", signature)
            }
        }
    }
}

/** What the app asks of a device that returns [response] to everything, and what it sends and keeps of it. */
suspend fun passkeys(response: String): JsonArray {
    val asked = mutableListOf<String>()
    CredentialManager.device = object : CredentialManager {
        override suspend fun createCredential(context: Context, request: CreateCredentialRequest): CreateCredentialResponse {
            asked += (request as CreatePublicKeyCredentialRequest).requestJson
            return CreatePublicKeyCredentialResponse(response)
        }

        override suspend fun getCredential(context: Context, request: GetCredentialRequest): GetCredentialResponse {
            asked += request.credentialOptions.map { (it as GetPublicKeyCredentialOption).requestJson }
            return GetCredentialResponse(PublicKeyCredential(response))
        }
    }
    val options = { JSONObject("""{"challenge":"AAAA","extensions":{"uvm":true}}""") }
    val made = listOf(createPasskey(Activity(), options()), usePasskey(Activity(), options()))
    return JsonArray(
        made.zip(asked) { proof: PasskeyProof, request ->
            buildJsonObject {
                put("asked", Json.parseToJsonElement(request))
                put("sent", Json.parseToJsonElement(proof.credential.toString()))
                put("secret", proof.secret?.let(::encode))
            }
        },
    )
}

/** The wrapping key and the backup key that it decrypts, the second time as it was encrypted here. */
fun wrapped(vector: JsonElement): JsonArray {
    val key = wrappingKey(bytes(vector.text("secret")))
    val backupKey = decryptBackupKey(key, vector.text("encryptedKey"))
    val again = decryptBackupKey(key, encryptBackupKey(key, backupKey))
    return JsonArray(listOf(key.encoded, backupKey, again).map { JsonPrimitive(encode(it)) })
}

fun JsonObject.made(name: String, make: (JsonElement) -> String) =
    JsonArray(getValue(name).jsonArray.map { JsonPrimitive(make(it)) })

fun JsonElement.member(name: String) = jsonObject.getValue(name)

fun JsonElement.text(name: String) = member(name).text

val JsonElement.text get() = jsonPrimitive.content

fun bytes(base64: String): ByteArray = Base64.getDecoder().decode(base64)

fun encode(bytes: ByteArray): String = Base64.getEncoder().encodeToString(bytes)
