/** What the guide uses of the Android Keystore: a provider of Java's, which holds its keys in memory. */
package android.security.keystore

import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.KeyPairGeneratorSpi
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.PublicKey
import java.security.SecureRandom
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.util.Collections
import java.util.Date
import java.util.Enumeration

object KeyProperties {
    const val PURPOSE_SIGN = 4
    const val DIGEST_SHA256 = "SHA-256"
    const val KEY_ALGORITHM_EC = "EC"
}

class KeyGenParameterSpec private constructor(val alias: String, val curve: AlgorithmParameterSpec) :
    AlgorithmParameterSpec {
    class Builder(private val alias: String, private val purposes: Int) {
        private var curve: AlgorithmParameterSpec? = null
        private var digests = emptyList<String>()

        fun setAlgorithmParameterSpec(spec: AlgorithmParameterSpec) = apply { curve = spec }

        fun setDigests(vararg names: String) = apply { digests = names.toList() }

        /** A phone refuses later what such a key may not do. */
        fun build(): KeyGenParameterSpec {
            check(purposes and KeyProperties.PURPOSE_SIGN != 0 && KeyProperties.DIGEST_SHA256 in digests)
            return KeyGenParameterSpec(alias, checkNotNull(curve))
        }
    }
}

class AndroidKeyStoreProvider : Provider("AndroidKeyStore", "1", "keys in memory") {
    init {
        put("KeyPairGenerator.EC", Generator::class.java.name)
        put("KeyStore.AndroidKeyStore", Store::class.java.name)
    }
}

private val keys = mutableMapOf<String, KeyPair>()

class Generator : KeyPairGeneratorSpi() {
    private var spec: KeyGenParameterSpec? = null

    override fun initialize(keysize: Int, random: SecureRandom?) = error("a spec names the curve")

    override fun initialize(params: AlgorithmParameterSpec, random: SecureRandom?) {
        spec = params as KeyGenParameterSpec
    }

    override fun generateKeyPair(): KeyPair {
        val (alias, curve) = checkNotNull(spec).let { it.alias to it.curve }
        return KeyPairGenerator.getInstance("EC").apply { initialize(curve) }.generateKeyPair().also { keys[alias] = it }
    }
}

/** Reads; the generator writes. */
class Store : KeyStoreSpi() {
    override fun engineLoad(stream: InputStream?, password: CharArray?) = check(stream == null && password == null)

    override fun engineGetKey(alias: String, password: CharArray?): Key? = keys[alias]?.private

    override fun engineGetCertificate(alias: String): Certificate? = keys[alias]?.let { SelfSigned(it.public) }

    override fun engineGetCertificateChain(alias: String): Array<Certificate>? =
        engineGetCertificate(alias)?.let { arrayOf(it) }

    override fun engineAliases(): Enumeration<String> = Collections.enumeration(keys.keys)

    override fun engineContainsAlias(alias: String) = alias in keys

    override fun engineSize() = keys.size

    override fun engineIsKeyEntry(alias: String) = alias in keys

    override fun engineIsCertificateEntry(alias: String) = false

    override fun engineGetCertificateAlias(certificate: Certificate): String? = null

    override fun engineGetCreationDate(alias: String): Date? = null

    override fun engineDeleteEntry(alias: String) {
        keys.remove(alias)
    }

    override fun engineSetKeyEntry(alias: String, key: Key, password: CharArray?, chain: Array<Certificate>?) = reads()

    override fun engineSetKeyEntry(alias: String, key: ByteArray, chain: Array<Certificate>?) = reads()

    override fun engineSetCertificateEntry(alias: String, certificate: Certificate) = reads()

    override fun engineStore(stream: OutputStream?, password: CharArray?) = reads()

    private fun reads(): Unit = throw UnsupportedOperationException()
}

private class SelfSigned(private val key: PublicKey) : Certificate("X.509") {
    override fun getPublicKey() = key

    override fun getEncoded() = byteArrayOf()

    override fun verify(key: PublicKey) = Unit

    override fun verify(key: PublicKey, provider: String) = Unit

    override fun toString() = "a certificate of ${key.algorithm}"
}
