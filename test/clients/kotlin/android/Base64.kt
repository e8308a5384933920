/** What the guide uses of Android's Base64, on Java's. */
package android.util

import java.util.Base64 as JavaBase64

object Base64 {
    const val DEFAULT = 0
    const val NO_PADDING = 1
    const val NO_WRAP = 2
    const val URL_SAFE = 8

    fun decode(text: String, flags: Int): ByteArray =
        (if (flags and URL_SAFE != 0) JavaBase64.getUrlDecoder() else JavaBase64.getMimeDecoder()).decode(text)

    /** Without [NO_WRAP] the text ends with a line break, as on a phone. */
    fun encodeToString(bytes: ByteArray, flags: Int): String {
        val encoder = if (flags and URL_SAFE != 0) JavaBase64.getUrlEncoder() else JavaBase64.getEncoder()
        val text = (if (flags and NO_PADDING != 0) encoder.withoutPadding() else encoder).encodeToString(bytes)
        return if (flags and NO_WRAP != 0) text else "$text\n"
    }
}
