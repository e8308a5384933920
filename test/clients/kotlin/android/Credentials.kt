/** What the guide uses of Credential Manager. The test is the device. */
package androidx.credentials

import android.content.Context

abstract class CreateCredentialRequest

class CreatePublicKeyCredentialRequest(val requestJson: String) : CreateCredentialRequest()

abstract class CreateCredentialResponse

class CreatePublicKeyCredentialResponse(val registrationResponseJson: String) : CreateCredentialResponse()

abstract class CredentialOption

class GetPublicKeyCredentialOption(val requestJson: String) : CredentialOption()

class GetCredentialRequest(val credentialOptions: List<CredentialOption>)

abstract class Credential

class PublicKeyCredential(val authenticationResponseJson: String) : Credential()

class GetCredentialResponse(val credential: Credential)

interface CredentialManager {
    suspend fun createCredential(context: Context, request: CreateCredentialRequest): CreateCredentialResponse

    suspend fun getCredential(context: Context, request: GetCredentialRequest): GetCredentialResponse

    companion object {
        lateinit var device: CredentialManager

        fun create(@Suppress("UNUSED_PARAMETER") context: Context): CredentialManager = device
    }
}
